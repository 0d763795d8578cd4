"""Which models were compared, which of them are beaten by none, and why one was picked."""

from collections.abc import Callable, Sequence

from lampyris_build.report import told
from lampyris_build.report.chart import Axis, Kind, Mark, Series, axis_of, chart
from lampyris_build.report.markup import (
    NOTHING,
    Html,
    element,
    figure,
    figures,
    paragraph,
    section,
    table,
    text,
)
from lampyris_build.report.report import Report, Trial


def choice(report: Report) -> Html:
    trials = report.trials
    if not trials:
        return NOTHING
    score = axis_of("score", [one.score for one in trials], tell=lambda value: f"{100 * value:.4g} %")
    drawn = [
        _front(trials, score, "latency, p50", lambda one: one.latency_p50_ms, told.milliseconds),
        _front(trials, score, "size", lambda one: one.size_bytes, told.size),
    ]
    priced = [one for one in trials if one.dollars_per_million is not None]
    if priced:
        label = "price of a million predictions"
        drawn.append(_front(priced, score, label, lambda one: one.dollars_per_million or 0.0, told.dollars))
    why = paragraph(report.choice) if report.choice else NOTHING
    return section("Choice", why, figures(*drawn), _all(trials))


def _front(
    trials: Sequence[Trial],
    score: Axis,
    label: str,
    cost: Callable[[Trial], float],
    tell: Callable[[float], str],
) -> Html:
    """Draw score against one cost, with a line along those that have the best score for that cost."""
    line, best = [], float("-inf")
    for one in sorted(trials, key=lambda one: (cost(one), -one.score)):
        if one.score > best:
            line.append(one)
            best = one.score
    picked = [one for one in trials if one.is_picked]

    def drawn(name: str, group: Sequence[Trial], kind: Kind, color: int) -> Series:
        return Series(
            name=name, x=[cost(one) for one in group], y=[one.score for one in group], kind=kind, color=color
        )

    picture = chart(
        f"Score against {label} of {len(trials)} models",
        axis_of(label, [cost(one) for one in trials], log=True, tell=tell),
        score,
        [
            drawn("", line, "steps", 3),
            drawn("beaten", [one for one in trials if not one.is_on_front], "dots", 3),
            drawn(
                "Pareto front", [one for one in trials if one.is_on_front and not one.is_picked], "dots", 0
            ),
            drawn("picked", picked, "dots", 1),
        ],
        [Mark(x=cost(one), y=one.score, words=one.name) for one in picked],
    )
    return figure(picture, f"Score against {label}: up and to the left is better.")


def _all(trials: Sequence[Trial]) -> Html:
    order = sorted(trials, key=lambda one: (not one.is_picked, not one.is_on_front, -one.score))
    header = ("Model", "Score", "Latency p50", "Size", "A million predictions", "Lambda memory", "")
    return table(
        header, [_row(one) for one in order], numbers=range(1, 6), caption="All models that were compared"
    )


def _row(one: Trial) -> tuple[str, ...]:
    return (
        element("strong", text(one.name)) if one.is_picked else one.name,
        told.share(one.score),
        told.milliseconds(one.latency_p50_ms),
        told.size(one.size_bytes),
        "" if one.dollars_per_million is None else told.dollars(one.dollars_per_million),
        "" if one.memory_mb is None else f"{one.memory_mb:,} MB",
        "picked" if one.is_picked else "on the front" if one.is_on_front else "",
    )
