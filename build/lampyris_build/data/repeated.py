"""Samples that stand in two sets: what a model may know by heart."""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from lampyris_build.data.dataset import Inputs

_MIX: Final = np.uint64(0x9E3779B97F4A7C15)  # odd, its bits in no order: 2^64 over the golden ratio


def count_repeated(train: Inputs, test: Inputs) -> int:
    """Count the test samples whose inputs all equal those of some training sample."""
    return int(np.isin(_fingerprints(test), _fingerprints(train)).sum())


def _fingerprints(inputs: Inputs) -> NDArray[np.uint64]:
    """Return a number for each sample: equal for equal inputs, and for others hardly ever (64 bits)."""
    count = len(next(iter(inputs.values())))
    mixed = np.zeros(count, np.uint64)
    for values in inputs.values():
        mixed = mixed * _MIX + _hashes(values)
    return mixed


def _hashes(values: NDArray[Any]) -> NDArray[np.uint64]:
    if values.dtype == object:
        hashes = np.fromiter(map(hash, values), np.int64, len(values))
    elif values.ndim == 1:
        return np.ascontiguousarray(values).view(f"u{values.itemsize}").astype(np.uint64)
    else:
        hashes = np.fromiter((hash(row.tobytes()) for row in values), np.int64, len(values))
    return hashes.view(np.uint64)
