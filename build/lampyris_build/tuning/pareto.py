"""Which of several things are beaten by none of the others.

Source: Deb 2001, Multi-Objective Optimization using Evolutionary Algorithms, section 2.4.2 (domination).
"""

from collections.abc import Sequence

Costs = Sequence[float]


def on_front(costs: Sequence[Costs]) -> list[bool]:
    """Say of each row of costs whether no other beats it; less is better everywhere, and NaN nowhere."""
    return [
        not any(value != value for value in own)  # noqa: PLR0124 - NaN alone differs from itself
        and not any(beats(other, own) for other in costs)
        for own in costs
    ]


def beats(one: Costs, other: Costs) -> bool:
    """Say whether one is as good everywhere, and better somewhere."""
    pairs = list(zip(one, other, strict=True))
    return all(a <= b for a, b in pairs) and any(a < b for a, b in pairs)
