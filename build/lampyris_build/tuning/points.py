"""The models that a search leaves to choose from: every form of every trial."""

from collections.abc import Iterable
from dataclasses import dataclass

import msgspec

from lampyris_build.recipe import Recipe
from lampyris_build.report.report import Trial
from lampyris_build.tuning.pareto import on_front
from lampyris_build.tuning.trials import Form, Tried


@dataclass(frozen=True, kw_only=True)
class Point:
    """One form of one trial's model."""

    tried: Tried
    form: Form
    is_on_front: bool

    @property
    def name(self) -> str:
        return f"{self.tried.number} {self.tried.model}, {self.form.name}"

    @property
    def recipe(self) -> Recipe:
        """The recipe that makes it: the trial's, with no more steps of compression than this form has."""
        assert self.tried.recipe is not None
        recipe = self.tried.recipe
        steps = recipe.compression.steps[: self.form.steps]
        compression = msgspec.structs.replace(recipe.compression, steps=steps)
        return msgspec.structs.replace(recipe, compression=compression)

    def shown(self, picked: "Point | None") -> Trial:
        """Return what a report shows of it."""
        return Trial(
            name=self.name,
            score=self.form.score,
            latency_p50_ms=self.form.latency_p50_ms,
            size_bytes=self.form.size_bytes,
            dollars_per_million=self.form.dollars_per_million,
            memory_mb=self.form.memory_mb,
            is_on_front=self.is_on_front,
            is_picked=self is picked,
        )


def points_of(trials: Iterable[Tried]) -> tuple[Point, ...]:
    """Return all forms, the best first, and say which are beaten by none."""
    forms = [(tried, form) for tried in trials for form in tried.outcome.forms]
    front = on_front([form.costs for _, form in forms])
    points = [
        Point(tried=tried, form=form, is_on_front=is_on_front)
        for (tried, form), is_on_front in zip(forms, front, strict=True)
    ]
    return tuple(sorted(points, key=lambda point: -point.form.score))
