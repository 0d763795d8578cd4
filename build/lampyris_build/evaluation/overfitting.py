"""Whether a model learnt what holds in general, or its training set by heart: a plain statement."""

from math import sqrt
from typing import Final

from lampyris_build.training.history import History, best

_LEAST_GAP: Final = 0.02
_STANDARD_ERRORS: Final = 2.0
_RISE: Final = 0.05  # of the validation loss since it was least
_FALL: Final = 0.01  # of the validation loss in the last epoch


def overfitting_statement(
    *, train_score: float, test_score: float, test_rows: int, history: History | None = None
) -> str:
    """Compare what a model scores on what it learnt with what it scores on what it has never seen.

    The rule: a gap counts if it is more than two points, and more than two standard errors of the test score
    (those of a share of `test_rows`; for other scores than an accuracy that is a rough guide). What the
    validation loss did meanwhile is said where it tells something: that it rose by 5 % since it was least,
    or still fell by 1 % in the last epoch.
    """
    share = min(max(test_score, 0.0), 1.0)
    chance = max(_LEAST_GAP, _STANDARD_ERRORS * sqrt(share * (1 - share) / test_rows))
    gap = train_score - test_score
    scored = f"It scores {train_score:.1%} on its training set and {test_score:.1%} on data it has never seen"
    if gap > chance:
        verdict = (
            f"It has overfitted. {scored}: {100 * gap:.1f} points less, where chance explains "
            f"up to {100 * chance:.1f}. More data, augmentation, a smaller model or weight decay help."
        )
    elif gap < -chance:
        verdict = (
            f"{scored}, which is {-100 * gap:.1f} points more. These are easier than what it learnt, or some "
            "of them are among it: look at the split."
        )
    else:
        found = "No sign of overfitting" if _rise(history) <= _RISE else "Its score shows no overfitting"
        verdict = f"{found}. {scored}; chance alone explains up to {100 * chance:.1f} points."
    return " ".join(filter(None, (verdict, _course(history))))


def _rise(history: History | None) -> float:
    """Return by how much of itself the validation loss has risen since it was least, if that was kept."""
    if history is None or history.stopped_early or not history.rows:
        return 0.0
    least, last = best(history.rows).validation_loss, history.rows[-1].validation_loss
    return last / least - 1 if least > 0 else 0.0


def _course(history: History | None) -> str:
    if history is None or len(history.rows) < 2:  # noqa: PLR2004 - a course has a beginning and an end
        return ""
    least, before, last = best(history.rows), history.rows[-2], history.rows[-1]
    if history.stopped_early:
        return (
            f"Its training stopped after epoch {last.epoch}, as the validation loss had been least after "
            f"epoch {least.epoch}; it has the weights of that epoch."
        )
    rise = _rise(history)
    if rise > _RISE:
        return (
            f"The validation loss was least after epoch {least.epoch} and rose by {rise:.0%} until epoch "
            f"{last.epoch}: it is surer than it should be. training.patience keeps the better weights."
        )
    if least is last and last.validation_loss < before.validation_loss * (1 - _FALL):
        return "The validation loss was still falling in the last epoch: more epochs may help."
    return ""
