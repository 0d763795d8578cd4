"""Samples in batches, in an order of their own in every epoch.

Shape suffixes: N samples, B batch.
"""

from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray

from lampyris_build.data.dataset import Samples

Batch = tuple[tuple[torch.Tensor, ...], torch.Tensor | None]


class Batches:
    """The batches of an epoch, all of one size: what is left over waits for the order of another epoch.

    The order follows from the seed and the epoch alone: a training that is resumed needs to remember neither.
    """

    def __init__(self, samples: Samples, size: int, seed: int) -> None:
        self._samples = samples
        self._size = min(size, len(samples))
        self._seed = seed

    def __len__(self) -> int:
        return len(self._samples) // self._size

    def of_epoch(self, epoch: int, *, first: int = 0) -> Iterator[Batch]:
        """Yield the batches of an epoch (counted from 0), from that with the number `first`."""
        order_N = np.random.default_rng((self._seed, epoch)).permutation(len(self._samples))
        for number in range(first, len(self)):
            yield batch_of(self._samples, order_N[number * self._size : (number + 1) * self._size])


def batch_of(samples: Samples, index_B: NDArray[np.int64] | slice) -> Batch:
    """Read a batch into memory: the arrays may be files."""
    chosen = samples.take(index_B)
    inputs = tuple(torch.from_numpy(np.array(values)) for values in chosen.inputs.values())
    return inputs, None if chosen.targets is None else torch.from_numpy(np.array(chosen.targets))
