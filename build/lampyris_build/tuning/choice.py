"""Which model of the Pareto front is picked, and why."""

from collections.abc import Callable, Sequence
from typing import Final

from lampyris_build.recipe.tuning import Tune
from lampyris_build.report import told
from lampyris_build.tuning.points import Point

_RULES: Final[dict[str, Callable[[Point], float]]] = {
    "cheapest": lambda point: point.form.dollars_per_million,
    "fastest": lambda point: point.form.latency_p50_ms,
    "smallest": lambda point: point.form.size_bytes,
    "best": lambda point: -point.form.score,
}


def pick(front: Sequence[Point], tune: Tune, *, samples: int) -> tuple[Point | None, str]:
    """Pick by the recipe's rule, the better of equals; None if none is good enough. Say why.

    `samples` is on how many the scores were measured.
    """
    measured = f" Scores are those on the {samples:,} samples of the validation set."
    cost = _RULES[tune.pick]
    best = max(front, key=lambda point: point.form.score)
    enough = [point for point in front if point.form.score >= tune.min_score]
    if not enough:
        return None, (
            f"None of {len(front)} models on the Pareto front scores {told.share(tune.min_score)}, which "
            f"tune.min_score demands; {best.name} comes nearest with {told.share(best.form.score)}.{measured}"
        )
    picked = min(enough, key=lambda point: (cost(point), -point.form.score))
    return (
        picked,
        f"{picked.name} is {_rank(tune, len(enough))}: {_worth(picked)}.{_against(picked, best)}{measured}",
    )


def _rank(tune: Tune, count: int) -> str:
    good = f" that score at least {told.share(tune.min_score)}" if tune.min_score > 0 else ""
    if count == 1:
        return f"the only model on the Pareto front{good.replace('score', 'scores', 1)}"
    return f"the {tune.pick} of {count} models on the Pareto front{good}"


def _worth(point: Point) -> str:
    form = point.form
    return (
        f"{told.share(form.score)}, {told.size(form.size_bytes)}, "
        f"{told.milliseconds(form.latency_p50_ms)}, "
        f"${form.dollars_per_million:.4f} for a million predictions with {form.memory_mb:,} MB"
    )


def _against(picked: Point, best: Point) -> str:
    if picked.form.score >= best.form.score:
        return " None scores more."
    return f" The highest score is that of {best.name}: {_worth(best)}."
