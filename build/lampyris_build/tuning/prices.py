"""What AWS asks for a prediction: what it asks for a function's time, and for the HTTP API before it.

Source: aws.amazon.com/api-gateway/pricing, the same region and date as the functions' prices.
"""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from lampyris.jobs.prices import GB_SECOND_USD, MB_PER_GB, MILLION_INVOCATIONS_USD, Architecture

_MILLION_HTTP_REQUESTS_DOLLARS: Final = 1.00


def billed_gb_s(durations_ms: NDArray[Any], memory_mb: int | NDArray[Any]) -> Any:
    """Return what an invocation is billed for on average; a millisecond that has begun counts whole.

    Shapes: (N,) -> a number; (M, N) for M memory sizes (M,) -> (M,).
    """
    return np.ceil(durations_ms).mean(axis=-1) / 1000 * memory_mb / MB_PER_GB


def dollars_per_million(durations_ms: NDArray[Any], memory_mb: int, architecture: Architecture) -> float:
    """Return the price of a million predictions: the function's time, its invocations, the HTTP API."""
    computing = float(billed_gb_s(durations_ms, memory_mb)) * 1e6 * GB_SECOND_USD[architecture]
    return computing + MILLION_INVOCATIONS_USD + _MILLION_HTTP_REQUESTS_DOLLARS
