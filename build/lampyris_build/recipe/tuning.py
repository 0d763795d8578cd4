"""`[tune]`: what `lampyris tune` compares, under which budget, and which it picks. `[evaluation]`: folds."""

from typing import Annotated, Any, Literal

import msgspec

from lampyris.domain.bundle import Share
from lampyris_build.recipe.section import Count, Positive, Section


class Range(Section, frozen=True, kw_only=True):
    """Any number from `low` to `high`; by their logarithm where they span orders of magnitude."""

    low: float
    high: float
    log: bool = False
    whole: bool = False

    def __post_init__(self) -> None:
        """Raises: ValueError, which becomes a sentence about the recipe."""
        if not self.low < self.high:
            raise ValueError(f"low must be less than high, and {self.low:g} is not less than {self.high:g}")
        if self.log and self.low <= 0:
            raise ValueError(f"low must be more than 0 where log = true, and it is {self.low:g}")
        if self.whole and not (self.low.is_integer() and self.high.is_integer()):
            raise ValueError("low and high must be whole numbers where whole = true")


Candidates = Range | Annotated[list[Any], msgspec.Meta(min_length=1)]


class Tune(Section, frozen=True, kw_only=True):
    """`space` gives places in the recipe their candidates: a range, or a list of what may stand there.

    Of what is on the Pareto front and has `min_score`, `pick` takes the cheapest, fastest, smallest or best.
    """

    space: dict[str, Candidates] = msgspec.field(default_factory=dict)
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
