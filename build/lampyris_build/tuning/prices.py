"""What AWS asks for a prediction: one table, with its date.

Source: aws.amazon.com/lambda/pricing and aws.amazon.com/api-gateway/pricing, us-east-1, on demand, the first
tier, without the free one; looked up in mid-2026.
"""

from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

LOOKED_UP: Final = "mid-2026"
REGION: Final = "us-east-1"

Architecture = Literal["arm64", "x86_64"]
_GB_SECOND_DOLLARS: Final[dict[Architecture, float]] = {"arm64": 0.0000133334, "x86_64": 0.0000166667}
_MILLION_INVOCATIONS_DOLLARS: Final = 0.20
_MILLION_HTTP_REQUESTS_DOLLARS: Final = 1.00

_MB_PER_GB: Final = 1024


def billed_gb_s(durations_ms: NDArray[Any], memory_mb: int | NDArray[Any]) -> Any:
    """Return what an invocation is billed for on average; a millisecond that has begun counts whole.

    Shapes: (N,) -> a number; (M, N) for M memory sizes (M,) -> (M,).
    """
    return np.ceil(durations_ms).mean(axis=-1) / 1000 * memory_mb / _MB_PER_GB


def dollars_per_million(durations_ms: NDArray[Any], memory_mb: int, architecture: Architecture) -> float:
    """Return the price of a million predictions: the function's time, its invocations, the HTTP API."""
    computing = float(billed_gb_s(durations_ms, memory_mb)) * 1e6 * _GB_SECOND_DOLLARS[architecture]
    return computing + _MILLION_INVOCATIONS_DOLLARS + _MILLION_HTTP_REQUESTS_DOLLARS
