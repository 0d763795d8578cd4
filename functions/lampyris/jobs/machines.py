"""What is asked of the machines that work for jobs, besides to start, which a message does."""

from collections.abc import Sequence
from typing import Protocol


class Machines(Protocol):
    """Machines by the names that they have where they run. Both methods may raise QueueUnavailable."""

    def of(self, job: str) -> Sequence[str]:
        """Name the machines that a job called and that have not ended; also those that are yet to start."""
        ...

    def stop(self, machine: str) -> None:
        """Have a machine end, or never start; nothing happens if it has ended."""
        ...
