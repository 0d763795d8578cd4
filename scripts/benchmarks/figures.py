"""What a benchmark found: durations beside those of a reference that was measured in turn with it."""

from collections.abc import Sequence
from statistics import median, quantiles
from typing import Literal

import msgspec
from rich.box import SIMPLE_HEAD
from rich.table import Table

_WHOLE_FROM_MS = 10

# How Lampyris compares: its duration as a multiple of the reference's, what it adds to it, or how many times
# it goes into it.
Comparison = Literal["ratio", "added_us", "speedup"]
_WORDS: dict[Comparison, tuple[str, str]] = {
    "ratio": ("{:.2f} x", "≤ {:.2f}"),
    "added_us": ("{:+.0f} µs", "≤ {:+.0f}"),
    "speedup": ("{:.1f} x faster", "≥ {:.1f}"),
}


class Figure(msgspec.Struct, frozen=True, kw_only=True):
    """One comparison; durations in milliseconds. `value` is the median over the pairs."""

    what: str
    model: str
    reference: str
    runs: int
    reference_p50_ms: float
    reference_p99_ms: float
    p50_ms: float
    p99_ms: float
    comparison: Comparison
    value: float
    aim: float

    @property
    def met(self) -> bool:
        return self.value >= self.aim if self.comparison == "speedup" else self.value <= self.aim


def compare(
    what: str,
    *,
    model: str,
    reference: str,
    reference_s: Sequence[float],
    ours_s: Sequence[float],
    comparison: Comparison,
    aim: float,
) -> Figure:
    """Make a figure of durations in seconds; equal places in both lists were measured side by side."""
    pairs = list(zip(ours_s, reference_s, strict=True))
    values = {
        "ratio": [ours / theirs for ours, theirs in pairs],
        "added_us": [(ours - theirs) * 1e6 for ours, theirs in pairs],
        "speedup": [theirs / ours for ours, theirs in pairs],
    }
    return Figure(
        what=what,
        model=model,
        reference=reference,
        runs=len(pairs),
        reference_p50_ms=median(reference_s) * 1000,
        reference_p99_ms=p99(reference_s) * 1000,
        p50_ms=median(ours_s) * 1000,
        p99_ms=p99(ours_s) * 1000,
        comparison=comparison,
        value=median(values[comparison]),
        aim=aim,
    )


def p99(values: Sequence[float]) -> float:
    return quantiles(values, n=100, method="inclusive")[98] if len(values) > 1 else values[0]


def as_table(title: str, figures: Sequence[Figure]) -> Table:
    """Lay figures out for a person."""
    table = Table(
        title=title,
        caption="p50 / p99 in milliseconds; the comparison is the median over pairs measured in turn",
        title_justify="left",
        caption_justify="left",
        box=SIMPLE_HEAD,
    )
    for heading in ("model", "what", "against"):
        table.add_column(heading)
    for heading in ("the other", "Lampyris", "comparison", "aim"):
        table.add_column(heading, justify="right")
    for figure in figures:
        words, aim = _WORDS[figure.comparison]
        colour = "green" if figure.met else "red"
        table.add_row(
            figure.model,
            figure.what,
            figure.reference,
            f"{_duration(figure.reference_p50_ms)} / {_duration(figure.reference_p99_ms)}",
            f"{_duration(figure.p50_ms)} / {_duration(figure.p99_ms)}",
            f"[{colour}]{words.format(figure.value)}[/]",
            aim.format(figure.aim),
        )
    return table


def _duration(milliseconds: float) -> str:
    return f"{milliseconds:,.0f}" if milliseconds >= _WHOLE_FROM_MS else f"{milliseconds:.3f}"
