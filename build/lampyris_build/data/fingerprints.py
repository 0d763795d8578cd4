"""A number for each sample: equal for equal inputs, and for different ones hardly ever (64 bits)."""

from collections.abc import Iterable
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from lampyris_build.data.spool import chunked

_MIX: Final = np.uint64(0x9E3779B97F4A7C15)  # odd, its bits in no order: 2^64 over the golden ratio
_SHIFT: Final = np.uint64(29)


def fingerprints(arrays: Iterable[NDArray[Any]]) -> NDArray[np.uint64]:
    """Return a number (N,) for each sample's values in all arrays; with words, another in each process."""
    mixed: NDArray[np.uint64] = np.zeros(1, np.uint64)
    for values in arrays:
        hashes = [_hashes(values[part]) for part in chunked(values, max(len(values), 1))]
        mixed = _mix(mixed) + np.concatenate(hashes)
    return mixed


def _hashes(rows: NDArray[Any]) -> NDArray[np.uint64]:
    if rows.dtype == object:
        return np.fromiter(map(hash, rows), np.int64, len(rows)).view(np.uint64)
    if rows.ndim == 1 and rows.itemsize in {1, 2, 4, 8}:
        bits = np.ascontiguousarray(rows).view(f"u{rows.itemsize}")
        return _mix(bits.astype(np.uint64))
    flat = np.ascontiguousarray(rows)
    return np.fromiter((hash(row.tobytes()) for row in flat), np.int64, len(flat)).view(np.uint64)


def _mix(bits: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Let every bit decide on all that are above it, and those on all (the steps of SplitMix64)."""
    mixed: NDArray[np.uint64] = (bits ^ (bits >> _SHIFT)) * _MIX
    return mixed ^ (mixed >> _SHIFT)
