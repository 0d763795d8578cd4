"""Whether a classifier that is 80 % sure is right 80 % of the time.

Shape suffixes: N samples, K classes.
"""

from typing import Any, Final

import msgspec
import numpy as np
from numpy.typing import NDArray

_BINS: Final = 15


class CalibrationBin(msgspec.Struct, frozen=True, kw_only=True):
    """Samples of which the model was about equally sure: how sure, how often right, how many."""

    confidence: float
    accuracy: float
    count: int


class Calibration(msgspec.Struct, frozen=True, kw_only=True):
    """`bins` in the order of their confidence, without empty ones.

    `error` is the expected calibration error: |confidence - accuracy| of the bins, the mean over all samples.
    """

    bins: tuple[CalibrationBin, ...]
    error: float


def calibration_of(probabilities_NK: NDArray[Any], labels_N: NDArray[Any]) -> Calibration:
    """Compare the probability of the most likely class with how often it is the right one, in 15 equal bins.

    Source: Guo et al. 2017, On Calibration of Modern Neural Networks, equation 3.
    """
    confidence_N = probabilities_NK.max(axis=1).astype(np.float64)
    right_N = probabilities_NK.argmax(axis=1) == labels_N
    # A bin holds its upper edge, as in the paper.
    bin_N = np.searchsorted(np.linspace(0, 1, _BINS + 1)[1:-1], confidence_N)
    counts = np.bincount(bin_N, minlength=_BINS)
    confidences = np.bincount(bin_N, confidence_N, _BINS)
    rights = np.bincount(bin_N, right_N, _BINS)
    return Calibration(
        bins=tuple(
            CalibrationBin(confidence=sure / count, accuracy=right / count, count=count)
            for sure, right, count in zip(confidences.tolist(), rights.tolist(), counts.tolist(), strict=True)
            if count
        ),
        error=float(np.abs(confidences - rights).sum() / len(labels_N)),
    )
