"""Charts as SVG within the page: text stays text, and colours are those of the page, light or dark."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import ceil, floor, isfinite, log10
from typing import Final, Literal

from lampyris_build.report.markup import Html, element, text

_WIDTH, _HEIGHT = 460, 290
_LEFT, _RIGHT, _TOP, _BOTTOM = 58, 14, 30, 44
_TICKS: Final = 5  # about so many
_MAX_POINTS: Final = 1500  # more are neither seen nor worth their bytes
_LETTER: Final = 6.6  # how wide one is, about

Kind = Literal["line", "dots", "steps", "bars", "guide"]


def plain(value: float) -> str:
    return f"{value:.6g}"


@dataclass(frozen=True, kw_only=True)
class Axis:
    """What is measured along it, from `low` to `high`; `tell` writes a value beside it.

    What comes in `whole` numbers has ticks at such alone.
    """

    label: str
    low: float
    high: float
    log: bool = False
    whole: bool = False
    tell: Callable[[float], str] = plain

    def place(self, value: float) -> float:
        """Return where a value stands between low (0) and high (1)."""
        if self.log:
            return (log10(value) - log10(self.low)) / (log10(self.high) - log10(self.low))
        return (value - self.low) / (self.high - self.low)

    @property
    def ticks(self) -> list[float]:
        ticks = _log_ticks(self.low, self.high) if self.log else _ticks(self.low, self.high)
        return [tick for tick in ticks if tick == round(tick)] if self.whole else ticks


@dataclass(frozen=True, kw_only=True)
class Series:
    """Points of one kind; `color` numbers the page's colours. Points that are no numbers are left out."""

    name: str
    x: Sequence[float]
    y: Sequence[float]
    kind: Kind = "line"
    color: int = 0


@dataclass(frozen=True, kw_only=True)
class Mark:
    """A point with words beside it."""

    x: float
    y: float
    words: str


def axis_of(
    label: str,
    values: Sequence[float],
    *,
    log: bool = False,
    from_zero: bool = False,
    whole: bool = False,
    tell: Callable[[float], str] = plain,
) -> Axis:
    """Make an axis that all values fit on, with a little room."""
    known = [value for value in values if isfinite(value) and (value > 0 or not log)] or [1.0]
    low, high = min(known), max(known)
    if log:
        return Axis(label=label, low=low / 1.3, high=high * 1.3, log=True, tell=tell)
    room = 0.05 * (high - low) or abs(high) * 0.05 or 1.0
    low = 0.0 if from_zero and low >= 0 else low - room
    return Axis(label=label, low=low, high=high + room, whole=whole, tell=tell)


def chart(title: str, x: Axis, y: Axis, series: Sequence[Series], marks: Sequence[Mark] = ()) -> Html:
    """Draw series over two axes; `title` says to those who cannot see it what there is to see."""
    drawn = [_axes(x, y), *(_drawn(one, x, y) for one in series), *(_marked(one, x, y) for one in marks)]
    named = [one for one in series if one.name]
    if len(named) > 1:
        drawn.append(_legend(named))
    return element(
        "svg", *drawn, viewBox=f"0 0 {_WIDTH} {_HEIGHT}", role="img", aria_label=title, class_="chart"
    )


def _across(axis: Axis, value: float) -> float:
    return _LEFT + axis.place(value) * (_WIDTH - _LEFT - _RIGHT)


def _up(axis: Axis, value: float) -> float:
    return _HEIGHT - _BOTTOM - axis.place(value) * (_HEIGHT - _TOP - _BOTTOM)


def _axes(x: Axis, y: Axis) -> Html:
    bottom, right = _HEIGHT - _BOTTOM, _WIDTH - _RIGHT
    lines, words = [f"M{_LEFT} {_TOP}V{bottom}H{right}"], []
    for tick in x.ticks:
        place = _across(x, tick)
        words.append(_words(x.tell(tick), place, bottom + 16, "middle"))
        lines.append(f"M{place:.1f} {bottom}v4")
    grid = []
    for tick in y.ticks:
        place = _up(y, tick)
        words.append(_words(y.tell(tick), _LEFT - 7, place + 4, "end"))
        grid.append(f"M{_LEFT} {place:.1f}H{right}")
    words.append(_words(x.label, (_LEFT + right) / 2, _HEIGHT - 6, "middle"))
    words.append(_words(y.label, 2, 14, "start"))
    return Html(
        element("path", d="".join(grid), class_="grid")
        + element("path", d="".join(lines), class_="axis")
        + "".join(words)
    )


def _drawn(series: Series, x: Axis, y: Axis) -> Html:
    points = [
        (_across(x, a), _up(y, b))
        for a, b in zip(series.x, series.y, strict=True)
        if isfinite(a) and isfinite(b) and (a > 0 or not x.log) and (b > 0 or not y.log)
    ]
    points = points[:: max(1, ceil(len(points) / _MAX_POINTS))]
    if not points:
        return Html("")
    if series.kind == "bars":
        return _bars(points, series)
    told = [f"{a:.1f} {b:.1f}" for a, b in points]
    kind: Kind = "dots" if len(points) == 1 else series.kind  # a line has two ends
    match kind:
        case "dots":
            path = "".join(f"M{one}h0" for one in told)
        case "steps":
            path = f"M{told[0]}" + "".join(f"H{a:.1f}V{b:.1f}" for a, b in points[1:])
        case _:
            path = "M" + "L".join(told)
    return element("path", d=path, class_=f"{kind} c{series.color}")


def _bars(points: list[tuple[float, float]], series: Series) -> Html:
    """Draw bars around their points, as wide as the points are apart."""
    apart = min((b[0] - a[0] for a, b in pairwise(points)), default=20.0)
    bottom = _HEIGHT - _BOTTOM
    path = "".join(
        f"M{a - apart / 2:.1f} {bottom}V{b:.1f}h{apart:.1f}V{bottom}z" for a, b in points if b < bottom
    )
    return element("path", d=path, class_=f"bars c{series.color}")


def _marked(mark: Mark, x: Axis, y: Axis) -> Html:
    across, up = _across(x, mark.x), _up(y, mark.y)
    room = _WIDTH - _RIGHT - across
    is_right = room > _LETTER * len(mark.words) + 8
    return _words(mark.words, across + (7 if is_right else -7), up + 4, "start" if is_right else "end")


def _legend(series: Sequence[Series]) -> Html:
    widths = [34 + _LETTER * len(one.name) for one in series]
    across, drawn = _WIDTH - _RIGHT + 14 - sum(widths), []
    for one, width in zip(series, widths, strict=True):
        swatch = f"M{across + 7:.1f} 10h0" if one.kind == "dots" else f"M{across:.1f} 10h14"
        kind = one.kind if one.kind in {"dots", "guide"} else "line"
        drawn += [
            element("path", d=swatch, class_=f"{kind} c{one.color}"),
            _words(one.name, across + 18, 14, "start"),
        ]
        across += width
    return Html("".join(drawn))


def _words(words: str, x: float, y: float, anchor: str) -> Html:
    return element("text", text(words), x=f"{x:.1f}", y=f"{y:.1f}", text_anchor=anchor)


def _ticks(low: float, high: float) -> list[float]:
    """Return round numbers between low and high: multiples of 1, 2 or 5 of a power of ten."""
    step = 10 ** floor(log10((high - low) / _TICKS))
    step = next(step * factor for factor in (1, 2, 5, 10) if (high - low) / (step * factor) <= _TICKS + 1)
    return [round(number * step, 12) for number in range(ceil(low / step), floor(high / step) + 1)]


def _log_ticks(low: float, high: float) -> list[float]:
    decades = range(floor(log10(low)), ceil(log10(high)) + 1)
    for factors in ((1,), (1, 3), (1, 2, 5), (1, 1.5, 2, 3, 5, 7)):
        ticks = [factor * 10.0**decade for decade in decades for factor in factors]
        ticks = [tick for tick in ticks if low <= tick <= high]
        if len(ticks) >= 3:  # noqa: PLR2004 - fewer do not show how it grows
            break
    if len(ticks) < 2:  # noqa: PLR2004 - so short an axis is about straight
        return _ticks(low, high)
    return ticks[:: ceil(len(ticks) / (_TICKS + 2))]
