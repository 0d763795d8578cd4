"""How many rows of a run are fastest with a model: measured on its own input, in some tenths of a second."""

from collections import OrderedDict
from collections.abc import Callable, Mapping

import msgspec
import numpy as np

from lampyris.domain.manifest import Manifest
from lampyris.domain.signature import DYNAMIC, Signature
from lampyris.domain.tensors import Array
from lampyris.errors import DeadlineExceeded, InferenceFailed, OutOfMemory

# Runs one batch; what it gives does not matter.
Run = Callable[[Mapping[str, Array]], object]

_LARGEST = 4096
_LARGEST_BYTES = 64 * 2**20
_ENOUGH_S = 0.4
_RUN_S = 0.02
# What a run costs besides: its rows are cut out, and its answers written.
_BESIDES_S = 1e-4
# Of sizes that are as good but for this, the larger is taken.
_AS_GOOD, _BETTER = 0.98, 1.03
# After so many sizes that were no better, larger ones are not either.
_PATIENCE = 3
_KEPT = 64


class Speed(msgspec.Struct, frozen=True, kw_only=True):
    """A batch size, and what it comes to."""

    batch_size: int
    rows_per_s: float


def fixed_batch_size(signature: Signature) -> int | None:
    """Return how many rows a model takes at once, if it takes no other number."""
    fixed = [spec.shape[0] for spec in signature.inputs if spec.shape and spec.shape[0] != DYNAMIC]
    return fixed[0] if fixed else None


class Speeds:
    """The fastest batch sizes as one execution environment found them, by artifact."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._found: OrderedDict[tuple[str, tuple[tuple[int, ...], ...]], Speed] = OrderedDict()

    def fastest(self, manifest: Manifest, sample: Mapping[str, Array], run: Run) -> Speed:
        """Return the fastest size for rows like those of `sample`, which are repeated as often as it takes.

        Raises: what a run of one row raises.
        """
        key = manifest.artifact.digest, tuple(values.shape[1:] for values in sample.values())
        found = self._found.get(key)
        if found is None:
            found = self._found[key] = self._measured(sample, run, fixed_batch_size(manifest.signature))
            if len(self._found) > _KEPT:
                self._found.popitem(last=False)
        return found

    def _measured(self, sample: Mapping[str, Array], run: Run, fixed: int | None) -> Speed:
        began_s = self._clock()
        size = fixed or 1
        run(_repeated(sample, size))  # the first run of a session takes what no other does
        best = Speed(batch_size=size, rows_per_s=self._rows_per_s(sample, size, run))
        row_bytes = sum(values.nbytes for values in _repeated(sample, 1).values())
        no_better = 0
        while fixed is None and no_better < _PATIENCE and self._clock() - began_s < _ENOUGH_S:
            size *= 2
            if size > _LARGEST or size * row_bytes > _LARGEST_BYTES:
                break
            try:
                rows_per_s = self._rows_per_s(sample, size, run)
            except (InferenceFailed, OutOfMemory, DeadlineExceeded):
                break
            no_better = 0 if rows_per_s > best.rows_per_s * _BETTER else no_better + 1
            if rows_per_s > best.rows_per_s * _AS_GOOD:
                best = Speed(batch_size=size, rows_per_s=max(rows_per_s, best.rows_per_s))
        return best

    def _rows_per_s(self, sample: Mapping[str, Array], size: int, run: Run) -> float:
        """Return the best of some runs: what disturbs one only makes it slower."""
        batch = _repeated(sample, size)
        shortest_s, total_s = float("inf"), 0.0
        for _ in range(8):
            began_s = self._clock()
            run(batch)
            took_s = self._clock() - began_s
            shortest_s, total_s = min(shortest_s, took_s), total_s + took_s
            if total_s > _RUN_S:
                break
        return size / (shortest_s + _BESIDES_S)


def _repeated(sample: Mapping[str, Array], size: int) -> dict[str, Array]:
    return {
        name: values[:size] if len(values) >= size else np.resize(values, (size, *values.shape[1:]))
        for name, values in sample.items()
    }
