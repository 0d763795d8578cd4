"""Numbers as people read them."""

from math import isfinite
from typing import Final

_KILO: Final = 1000
_MINUS: Final = "\N{MINUS SIGN}"
# Numbers and their units stay on one line.
_SPACE: Final = "\N{NO-BREAK SPACE}"
_MINUTE: Final = 60

_NAMES: Final = {
    "roc": "ROC",
    "auc": "AUC",
    "mse": "MSE",
    "rmse": "RMSE",
    "mae": "MAE",
    "r2": "R²",
    "f1": "F1",
    "brier": "Brier",
}


def share(value: float) -> str:
    return f"{100 * value:.2f}{_SPACE}%"


def points(difference: float) -> str:
    return f"{100 * difference:+.2f}{_SPACE}points".replace("-", _MINUS)


def size(count: float) -> str:
    """Tell bytes: 1.5 MB is 1,500,000 of them."""
    if count < _KILO:
        return f"{count:.0f}{_SPACE}bytes"
    for unit in ("KB", "MB"):
        count /= _KILO
        if count < _KILO:
            return f"{count:.3g}{_SPACE}{unit}"
    return f"{count / _KILO:,.2f}{_SPACE}GB"


def milliseconds(value: float) -> str:
    return f"{value:.3g}{_SPACE}ms" if value < _KILO else f"{value / _KILO:.2f}{_SPACE}s"


def seconds(value: float) -> str:
    if value < _MINUTE:
        return f"{value:.1f}{_SPACE}s"
    hours, minutes = divmod(round(value / _MINUTE), _MINUTE)
    return f"{hours}{_SPACE}h {minutes}{_SPACE}min" if hours else f"{minutes}{_SPACE}min"


def dollars(value: float) -> str:
    return f"${value:,.2f}" if value >= 1 else f"${value:.2g}"


def figure(value: float) -> str:
    """Tell a number of any size with four digits that count, and whole numbers as they are."""
    if not isfinite(value):
        return str(value)
    return f"{value:,.0f}" if value == int(value) and abs(value) < _KILO**2 else f"{value:.4g}"


def score_name(name: str) -> str:
    """Write a score's name as the field does: roc_auc is ROC AUC."""
    return " ".join(_NAMES.get(word, word) for word in name.split("_"))
