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
        self.size = min(size, len(samples))
        self._seed = seed

    def __len__(self) -> int:
        return len(self._samples) // self.size

    def of_epoch(self, epoch: int, *, first: int = 0, part: slice = slice(None)) -> Iterator[Batch]:
        """Yield a part of each batch of an epoch (counted from 0), from the batch with the number `first`."""
        order_N = np.random.default_rng((self._seed, epoch)).permutation(len(self._samples))
        for start in range(first * self.size, len(self) * self.size, self.size):
            yield batch_of(self._samples, order_N[start : start + self.size][part])


def batch_of(samples: Samples, index_B: NDArray[np.int64]) -> Batch:
    """Read a batch into memory: the arrays may be files."""
    inputs = tuple(torch.from_numpy(values[index_B]) for values in samples.inputs.values())
    return inputs, None if samples.targets is None else torch.from_numpy(samples.targets[index_B])
