"""Failed jobs, where they wait for somebody to look: each with its reason beside."""

from collections.abc import Sequence
from typing import Protocol

import msgspec


class DeadLetter(msgspec.Struct, frozen=True, kw_only=True):
    """A job that failed, and why ("code" and "detail"); `receipt` is what `remove` needs.

    Without a reason it is a wake-up that could not be attended to, every time it came: the job has not ended.
    """

    job: str
    why: dict[str, str]
    receipt: str


class DeadLetters(Protocol):
    """A queue: the same letter may come twice, and one job's letters may be several."""

    def receive(self, limit: int) -> Sequence[DeadLetter]:
        """Take some letters, at most `limit`; none if there are none. Who does not remove one meets it again.

        Raises: QueueUnavailable.
        """
        ...

    def remove(self, letter: DeadLetter) -> None:
        """Let a letter not come again; nothing happens if it is gone. Raises: QueueUnavailable."""
        ...
