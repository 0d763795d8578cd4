"""How far predicted numbers are from the true ones, and how unusual the unusual looks."""

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from lampyris_build.report import told
from lampyris_build.report.certainty import roc_curve
from lampyris_build.report.chart import Series, axis_of, chart
from lampyris_build.report.markup import NOTHING, Html, figure, figures, section
from lampyris_build.report.report import Report

_BINS: Final = 30
_MOST_TARGETS: Final = 6
_BOTH: Final = 2


def numbers(report: Report) -> Html:
    """Show what a regression predicted against what is true, target by target."""
    if report.task != "regression" or report.test.targets is None:
        return NOTHING
    true_NT = report.test.targets.reshape(len(report.test), -1).astype(np.float64)
    predicted_NT = report.answers[0].reshape(len(report.test), -1).astype(np.float64)
    drawn: list[Html] = []
    for place in range(min(true_NT.shape[1], _MOST_TARGETS)):
        number = f" {place + 1}" if true_NT.shape[1] > 1 else ""
        drawn += [
            _scatter(true_NT[:, place], predicted_NT[:, place], number),
            _errors(predicted_NT[:, place], true_NT[:, place], number),
        ]
    return section("Predicted and true", figures(*drawn))


def unusual(report: Report) -> Html:
    """Show the scores of an anomaly detector."""
    if report.task != "anomaly":
        return NOTHING
    scores_N = report.answers[0].reshape(-1).astype(np.float64)
    targets_N = report.test.targets
    if targets_N is None or len(np.unique(targets_N)) < _BOTH:
        drawn = [_histogram({"": scores_N}, "score", "How unusual the samples of the test set look.")]
    else:
        groups = {"usual": scores_N[targets_N == 0], "unusual": scores_N[targets_N == 1]}
        drawn = [
            _histogram(groups, "score", "How unusual the samples look, by what they are."),
            roc_curve(targets_N == 1, scores_N, "what is unusual"),
        ]
    return section("How unusual they look", figures(*drawn))


def _scatter(true_N: NDArray[np.float64], predicted_N: NDArray[np.float64], number: str) -> Html:
    both = [*true_N.tolist(), *predicted_N.tolist()]
    axis = axis_of(f"true value{number}", both)
    picture = chart(
        f"Predicted against true values{number} of {len(true_N):,} samples",
        axis,
        axis_of(f"predicted value{number}", both),
        [
            Series(name="", x=(axis.low, axis.high), y=(axis.low, axis.high), kind="guide", color=3),
            Series(name="", x=true_N.tolist(), y=predicted_N.tolist(), kind="dots"),
        ],
    )
    return figure(picture, f"Predicted against true values{number}: on the line they are equal.")


def _errors(predicted_N: NDArray[np.float64], true_N: NDArray[np.float64], number: str) -> Html:
    known_N = np.isfinite(predicted_N)
    errors_N = predicted_N[known_N] - true_N[known_N]
    if not len(errors_N):
        return NOTHING
    mean, deviation = (told.figure(float(value)) for value in (errors_N.mean(), errors_N.std()))
    caption = (
        f"What was predicted less what is true{number}: {mean} on average, standard deviation {deviation}."
    )
    return _histogram({"": errors_N}, f"error{number}", caption)


def _histogram(groups: Mapping[str, NDArray[Any]], label: str, caption: str) -> Html:
    across = axis_of(label, np.concatenate(list(groups.values())).tolist())
    edges = np.linspace(across.low, across.high, _BINS + 1)
    counts = {name: np.histogram(values, edges)[0].astype(float).tolist() for name, values in groups.items()}
    middles = ((edges[:-1] + edges[1:]) / 2).tolist()
    picture = chart(
        caption,
        across,
        axis_of("samples", np.concatenate(list(counts.values())).tolist(), from_zero=True, whole=True),
        [
            Series(name=name, x=middles, y=each, kind="bars", color=place)
            for place, (name, each) in enumerate(counts.items())
        ],
    )
    return figure(picture, caption)
