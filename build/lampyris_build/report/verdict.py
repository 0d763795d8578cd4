"""The first that a reader sees: how good the model is, how large, how fast."""

from collections.abc import Mapping
from math import sqrt
from typing import Final

from lampyris_build.report import told
from lampyris_build.report.markup import NOTHING, Html, element, join, section, table, text
from lampyris_build.report.report import Report

_NORMAL_95: Final = 1.959964  # the normal distribution's quantile for 95 %


def verdict(report: Report) -> Html:
    """Say it in a sentence and in figures, beside those of the uncompressed model."""
    first, shipped = report.forms[0].metrics, report.shipped.metrics
    tiles = [
        ("Score", told.share(shipped.score), told.share(first.score)),
        ("Size", told.size(shipped.size_bytes), told.size(first.size_bytes)),
        ("Latency, p50", told.milliseconds(shipped.latency_p50_ms), told.milliseconds(first.latency_p50_ms)),
        ("Latency, p99", told.milliseconds(shipped.latency_p99_ms), told.milliseconds(first.latency_p99_ms)),
        ("Memory", told.size(shipped.memory_bytes), told.size(first.memory_bytes)),
    ]
    is_compressed = report.shipped is not report.forms[0]
    drawn = [_tile(name, value, before if is_compressed else "") for name, value, before in tiles]
    return join(
        [
            element("h1", text(report.model)),
            element("p", text(f"{_good(report)} {_cost(report)}"), class_="verdict"),
            element("dl", *drawn, class_="tiles"),
        ]
    )


def scores(report: Report) -> Html:
    """Set all scores of the forms that were kept beside each other."""
    kept = [form for form in report.forms if form.kept]
    rows = [
        (told.score_name(name), *(_told(form.metrics.scores, name) for form in kept))
        for name in kept[0].metrics.scores
    ]
    if not rows:
        return NOTHING
    header = ("", *(form.name for form in kept))
    return section(
        "Scores", table(header, rows, numbers=range(1, len(header)), caption="Measured on the test set")
    )


def interval(rate: float, count: int) -> tuple[float, float]:
    """Return between which bounds the true rate is, with 95 % confidence.

    Source: Wilson 1927, Probable inference, the law of succession, and statistical inference.
    """
    square = _NORMAL_95**2 / count
    middle = rate + square / 2
    half = _NORMAL_95 * sqrt((rate * (1 - rate) + square / 4) / count)
    return max(0.0, (middle - half) / (1 + square)), min(1.0, (middle + half) / (1 + square))


def _tile(name: str, value: str, before: str) -> Html:
    was = element("dd", text(f"was {before}"), class_="before") if before else NOTHING
    return element("div", element("dt", text(name)), element("dd", text(value)), was)


def _good(report: Report) -> str:
    """Say how good it is, in the words of its task."""
    metrics, count = report.shipped.metrics, len(report.test)
    score = told.share(metrics.score)
    match report.task:
        case "classification":
            low, high = interval(metrics.score, count)
            return (
                f"It is right about {round(metrics.score * count):,} of {count:,} samples that it has never "
                f"seen: {score} (95 % interval: {100 * low:.1f} to {100 * high:.1f} %)."
            )
        case "regression":
            error = told.figure(metrics.scores.get("mae", float("nan")))
            return (
                f"It explains {score} of the variance of {count:,} samples that it has never seen (R²), "
                f"and is off by {error} on average."
            )
        case "anomaly" if {"roc_auc", "auc"} & metrics.scores.keys():
            return f"It tells the unusual from the usual with an area under the ROC curve of {score}."
        case "anomaly":
            return f"It brings back {score} of the variance of samples that it has never seen."
        case "language":
            perplexity = told.figure(metrics.scores.get("perplexity", float("nan")))
            return f"It foresees {score} of the tokens of a text it has never seen (perplexity {perplexity})."
        case "generation":
            return "It makes pictures of random numbers. No number says how good they are: look at them."


def _cost(report: Report) -> str:
    metrics = report.shipped.metrics
    size, latency = told.size(metrics.size_bytes), told.milliseconds(metrics.latency_p50_ms)
    return f"It has {size} and answers in {latency} (p50, one sample, one thread)."


def _told(found: Mapping[str, float], name: str) -> str:
    return told.figure(found[name]) if name in found else ""
