"""Messages that failed come again: soon at first, later each time, and not all at once."""

from collections.abc import Mapping
from typing import Any, Protocol

from lampyris.jobs.wake_ups import QueueName

_LONGEST_S = 300
_GROWN_MOST = 8  # how often an interval grows


class PutOff(Protocol):
    def __call__(self, queue: QueueName, receipt: str, *, delay_s: int) -> None:
        """Let a message come again after a delay. Raises: QueueUnavailable."""


def deliveries(message: Mapping[str, Any]) -> int:
    """Return how often a message was delivered, this time included."""
    return int(message.get("attributes", {}).get("ApproximateReceiveCount", 1))


def back_off_s(deliveries: int, draw: float, *, growth: int = 2) -> int:
    """Return after which time a message is to come again that was delivered so often.

    It is drawn from an interval that grows each time; `draw` is a random number in [0, 1).
    Source: Brooker 2015, "Exponential backoff and jitter" (AWS Architecture Blog).
    """
    return 1 + int(draw * min(_LONGEST_S, growth ** min(deliveries, _GROWN_MOST)))
