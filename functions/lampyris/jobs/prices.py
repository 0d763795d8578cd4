"""What AWS asks for a function's time: one table, with its date.

Source: aws.amazon.com/lambda/pricing, us-east-1, on demand, the first tier, without the free one; looked up
in mid-2026.
"""

from typing import Final, Literal

LOOKED_UP: Final = "mid-2026"
REGION: Final = "us-east-1"

Architecture = Literal["arm64", "x86_64"]
GB_SECOND_USD: Final[dict[Architecture, float]] = {"arm64": 0.0000133334, "x86_64": 0.0000166667}
MILLION_INVOCATIONS_USD: Final = 0.20

MB_PER_GB: Final = 1024


def rate_usd_per_ms(memory_mb: int, architecture: Architecture) -> float:
    """Return what a millisecond of a function costs while it runs."""
    return memory_mb / MB_PER_GB * GB_SECOND_USD[architecture] / 1000


def architecture_of(machine: str) -> Architecture:
    """Return the architecture whose price goes with a machine, as `platform.machine()` names it."""
    return "arm64" if machine in {"aarch64", "arm64"} else "x86_64"
