"""Whether a classifier knows how sure it may be, and what finding more of a class costs."""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from sklearn import metrics

from lampyris_build.evaluation.calibration import Calibration, calibration_of
from lampyris_build.evaluation.classification import are_probabilities
from lampyris_build.report import told
from lampyris_build.report.chart import Axis, Series, axis_of, chart
from lampyris_build.report.markup import Html, figure, figures

_BINARY: Final = 2
_MOST_POINTS: Final = 300


def certainty(probabilities_NK: NDArray[Any], labels_N: NDArray[Any], names: Sequence[str]) -> Html:
    drawn = []
    if are_probabilities(probabilities_NK):
        calibration = calibration_of(probabilities_NK, labels_N)
        drawn += [_calibration(calibration), _confidences(calibration)]
    if len(names) == _BINARY and len(np.unique(labels_N)) == _BINARY:
        drawn.append(roc_curve(labels_N == 1, probabilities_NK[:, 1], f"class {names[1]}"))
    return figures(*drawn)


def roc_curve(members_N: NDArray[np.bool_], scores_N: NDArray[Any], what: str) -> Html:
    """Draw how many of the members are found, at the price of how many others."""
    others, found, _ = metrics.roc_curve(members_N, np.nan_to_num(scores_N))
    area = float(metrics.auc(others, found))
    chosen = np.unique(np.linspace(0, len(others) - 1, _MOST_POINTS).astype(int))
    picture = chart(
        f"ROC curve of {what}, area {area:.4f}",
        Axis(label="share of all others taken for it", low=0, high=1),
        Axis(label="share of it found", low=0, high=1),
        [
            Series(name="by chance", x=(0, 1), y=(0, 1), kind="guide", color=3),
            Series(name="this model", x=others[chosen].tolist(), y=found[chosen].tolist()),
        ],
    )
    return figure(picture, f"ROC curve of {what}: the area under it is {area:.4f}.")


def _calibration(calibration: Calibration) -> Html:
    sure = [one.confidence for one in calibration.bins]
    right = [one.accuracy for one in calibration.bins]
    picture = chart(
        f"Calibration curve, expected calibration error {calibration.error:.3f}",
        Axis(label="how sure it was", low=0, high=1),
        Axis(label="how often it was right", low=0, high=1),
        [
            Series(name="as sure as right", x=(0, 1), y=(0, 1), kind="guide", color=3),
            Series(name="this model", x=sure, y=right),
            Series(name="", x=sure, y=right, kind="dots"),
        ],
    )
    apart = told.points(calibration.error).removeprefix("+")
    return figure(
        picture,
        "Calibration: where the curve is below the line, the model is too sure of itself. On average they "
        f"are {apart} apart (the expected calibration error).",
    )


def _confidences(calibration: Calibration) -> Html:
    counts = [float(one.count) for one in calibration.bins]
    picture = chart(
        "How many answers were given with which confidence",
        Axis(label="how sure it was", low=0, high=1),
        axis_of("samples", counts, from_zero=True, whole=True),
        [Series(name="", x=[one.confidence for one in calibration.bins], y=counts, kind="bars")],
    )
    return figure(picture, "How many answers it gave with which confidence.")
