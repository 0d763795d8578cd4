"""Numbers as people read them."""

from math import isfinite
from typing import Final

_KILO: Final = 1000
_MINUTE: Final = 60


def share(value: float) -> str:
    return f"{100 * value:.2f} %"


def points(difference: float) -> str:
    return f"{100 * difference:+.2f} points"


def size(count: float) -> str:
    """Tell bytes: 1.5 MB is 1,500,000 of them."""
    if count < _KILO:
        return f"{count:.0f} bytes"
    for unit in ("KB", "MB"):
        count /= _KILO
        if count < _KILO:
            return f"{count:.3g} {unit}"
    return f"{count / _KILO:,.2f} GB"


def milliseconds(value: float) -> str:
    return f"{value:.3g} ms" if value < _KILO else f"{value / _KILO:.2f} s"


def seconds(value: float) -> str:
    if value < _MINUTE:
        return f"{value:.1f} s"
    hours, minutes = divmod(round(value / _MINUTE), _MINUTE)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min"


def dollars(value: float) -> str:
    return f"${value:,.2f}" if value >= 1 else f"${value:.2g}"


def figure(value: float) -> str:
    """Tell a number of any size with four digits that count, and whole numbers as they are."""
    if not isfinite(value):
        return str(value)
    return f"{value:,.0f}" if value == int(value) and abs(value) < _KILO**2 else f"{value:.4g}"
