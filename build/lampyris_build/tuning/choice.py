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
    "best": lambda point: 1 - point.form.score,
}
# How much more a model may cost and still be called equal: measured again, times differ by as much.
_TIES: Final = {"cheapest": 0.01, "fastest": 0.05, "smallest": 0.0, "best": 0.0}


def pick(front: Sequence[Point], tune: Tune, *, samples: int) -> tuple[Point | None, str]:
    """Pick by the recipe's rule, the best of equals; None if none is good enough. Say why.

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
    limit = min(map(cost, enough)) * (1 + _TIES[tune.pick])
    equals = [point for point in enough if cost(point) <= limit]
    picked = min(equals, key=lambda point: (-point.form.score, cost(point)))
    rank = _rank(tune, len(enough)) + _tied(tune, len(equals))
    return picked, f"{picked.name} is {rank}: {_worth(picked)}.{_against(picked, best)}{measured}"


def _rank(tune: Tune, count: int) -> str:
    good = f" that score at least {told.share(tune.min_score)}" if tune.min_score > 0 else ""
    if count == 1:
        return f"the only model on the Pareto front{good.replace('score', 'scores', 1)}"
    return f"the {tune.pick} of {count} models on the Pareto front{good}"


def _tied(tune: Tune, count: int) -> str:
    tie = _TIES[tune.pick]
    return f", and the best of {count} that are as much so within {tie:.0%}" if count > 1 and tie else ""


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
