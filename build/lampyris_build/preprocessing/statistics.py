"""What is usual in a training set, found chunk by chunk: it may be larger than memory.

Shape suffixes: F features or C channels, the last axis, of which all axes before it count the values (N);
V values that a pixel can have.
"""

from collections.abc import Iterator
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

_CHUNK_VALUES: Final = 2**20
_MEDIAN_VALUES: Final = 2**26


def medians(values: NDArray[Any]) -> NDArray[np.float32]:
    """Return each feature's median, (F,); 0 where all values are missing.

    Of more than 2^26 values, those of evenly spaced samples are looked at.
    """
    rows = values[:: -(-values.size // _MEDIAN_VALUES) or 1]
    flat_NF = np.asarray(rows, np.float32).reshape(-1, values.shape[-1])
    found = [np.median(known) if len(known := one[~np.isnan(one)]) else 0.0 for one in flat_NF.T]
    return np.array(found, np.float32)


def moments(
    values: NDArray[Any], fill_F: NDArray[np.float32]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return each feature's mean and standard deviation, (F,), where `fill_F` stands for what is missing.

    The deviation of a constant counts as 1.

    Source: Chan, Golub and LeVeque 1983 (moments of two sets from those of each).
    """
    count, mean, squares = 0, np.zeros(len(fill_F)), np.zeros(len(fill_F))
    for chunk_NF in _chunks(values):
        filled_NF = np.where(np.isnan(chunk_NF), fill_F, chunk_NF)
        rows, chunk_mean = len(filled_NF), filled_NF.mean(axis=0)
        difference, total = chunk_mean - mean, count + rows
        squares += ((filled_NF - chunk_mean) ** 2).sum(axis=0) + difference**2 * count * rows / total
        mean += difference * rows / total
        count = total
    deviation = np.sqrt(squares / count)
    # Rounding leaves a constant, such as 0.1 a thousand times, with a deviation that is not quite 0.
    is_constant = deviation <= np.abs(mean) * np.finfo(np.float32).eps
    return mean.astype(np.float32), np.where(is_constant, 1.0, deviation).astype(np.float32)


def pixel_moments(pixels: NDArray[np.uint8]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return each channel's mean and standard deviation, (C,), from how often each of 256 values occurs.

    The deviation of a constant counts as 1.
    """
    channels = pixels.shape[-1]
    times_CV = np.zeros((channels, 256))
    rows = max(1, _CHUNK_VALUES * len(pixels) // pixels.size)
    for start in range(0, len(pixels), rows):
        chunk_NC = pixels[start : start + rows].reshape(-1, channels)
        times_CV += [np.bincount(chunk_NC[:, channel], minlength=256) for channel in range(channels)]
    value_V, count = np.arange(256), pixels.size / channels
    mean_C = times_CV @ value_V / count
    variance_C = (times_CV * (value_V - mean_C[:, np.newaxis]) ** 2).sum(axis=1) / count
    std_C = np.where(variance_C > 0, np.sqrt(variance_C), 1.0)
    return mean_C.astype(np.float32), std_C.astype(np.float32)


def _chunks(values: NDArray[Any]) -> Iterator[NDArray[np.float64]]:
    rows = max(1, _CHUNK_VALUES * len(values) // values.size)
    for start in range(0, len(values), rows):
        yield values[start : start + rows].reshape(-1, values.shape[-1]).astype(np.float64)
