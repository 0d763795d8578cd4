"""Which memory size makes a model's predictions cheapest.

What is measured (`served`): the time of whole requests to the predict function on one core, and the most
memory that its process held. What is assumed, as AWS documents it: a function gets CPU in proportion to its
memory, one vCPU at 1,769 MB; and besides, that a vCPU is as fast as a core of this machine. So with less
memory, a request takes 1,769 / memory times as long. More than one vCPU is never cheaper: a second thread
halves the time at best, and doubles the price.
"""

from math import ceil
from typing import Any, Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from lampyris.jobs.prices import Architecture
from lampyris_build.tuning.prices import billed_gb_s, dollars_per_million

VCPU_MB: Final = 1769
# What template.yaml lets the predict function have.
LEAST_MB: Final = 256
MOST_MB: Final = 10240

# What the process held must not fill the function: Lambda's own runtime is there too, and requests vary.
_HEADROOM: Final = 1.25
# What comes out cheaper by so little does so by chance; the faster size is taken then.
_TIE: Final = 0.01
_MB: Final = 2**20


class MemorySize(msgspec.Struct, frozen=True, kw_only=True):
    """The size, how long half of the requests take at most at it, and what a million of them cost."""

    memory_mb: int
    request_p50_ms: float
    dollars_per_million: float


def cheapest_size(
    durations_ms: NDArray[Any], held_bytes: int, architecture: Architecture
) -> MemorySize | None:
    """Return the cheapest size, the fastest of equals; None if the model is too large for any.

    `durations_ms` are those of requests on a whole core, `held_bytes` is what the process held at most.
    """
    least_mb = max(LEAST_MB, ceil(held_bytes / _MB * _HEADROOM))
    if least_mb > MOST_MB:
        return None
    sizes = np.arange(least_mb, max(least_mb, VCPU_MB) + 1)
    billed = billed_gb_s(_at(sizes[:, np.newaxis], durations_ms), sizes)
    size = int(sizes[billed <= billed.min() * (1 + _TIE)].max())
    there_ms = _at(size, durations_ms)
    return MemorySize(
        memory_mb=size,
        request_p50_ms=float(np.median(there_ms)),
        dollars_per_million=dollars_per_million(there_ms, size, architecture),
    )


def _at(memory_mb: int | NDArray[Any], durations_ms: NDArray[Any]) -> NDArray[Any]:
    return durations_ms * np.maximum(1.0, VCPU_MB / memory_mb)
