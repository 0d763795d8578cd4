"""`[tune]`: what `lampyris tune` compares, under which budget, and which it picks. `[evaluation]`: folds."""

from typing import Annotated, Any, Literal

import msgspec

from lampyris.domain.bundle import Share
from lampyris_build.recipe.section import Count, Positive, Section

Numbers = Annotated[tuple[float, ...], msgspec.Meta(min_length=1)]


class Range(Section, frozen=True, kw_only=True):
    """Any number from `low` to `high`; by their logarithm where they span orders of magnitude."""

    low: float
    high: float
    log: bool = False
    whole: bool = False


class Tune(Section, frozen=True, kw_only=True):
    """`space` gives places in the recipe their candidates: "training.learning_rate" a range, "model" a list of tables.

    Of what is on the Pareto front and has `min_score`, `pick` takes the cheapest, fastest, smallest or best.
    """

    space: dict[str, Range | list[Any]] = {}
    trials: Count = 20
    minutes: Positive | None = None
    min_score: Share = 0.0
    pick: Literal["cheapest", "fastest", "smallest", "best"] = "cheapest"


class Evaluation(Section, frozen=True, kw_only=True):
    """`folds` repeats the training on other parts of the training data, and says how much the score spreads.

    "stratified" keeps the share of every class, "group" keeps rows with equal `split.column` together, "time"
    learns what came before; without it, folds are made as the data were split.
    """

    folds: Annotated[int, msgspec.Meta(ge=2)] | None = None
    by: Literal["stratified", "group", "random", "time"] | None = None
