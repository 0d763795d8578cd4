"""Queues in this process's memory, whose time passes when it is told to: for tests that replay a failure."""

import heapq
from collections.abc import Sequence
from itertools import count

import msgspec

from lampyris.jobs.dead_letters import DeadLetter
from lampyris.jobs.wake_ups import QueueName, WakeUp


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """A message as it waits; `why` stands beside it."""

    queue: QueueName
    wake_up: WakeUp
    why: dict[str, str] = {}


class MemoryQueues:
    """Queues without anything behind them. `take` gives the next message that is due, and forgets it."""

    def __init__(self) -> None:
        self.time_s = 0.0
        self._numbers = count()
        self._waiting: list[tuple[float, int, Message]] = []

    def send(
        self, queue: QueueName, message: WakeUp, *, delay_s: int = 0, why: dict[str, str] | None = None
    ) -> None:
        waits = Message(queue=queue, wake_up=message, why=why or {})
        heapq.heappush(self._waiting, (self.time_s + delay_s, next(self._numbers), waits))

    def put_back(self, message: Message, *, delay_s: float) -> None:
        """Let a message come again: whoever took it failed."""
        heapq.heappush(self._waiting, (self.time_s + delay_s, next(self._numbers), message))

    def take(self) -> Message | None:
        """Take the message that is due first, and let time pass until then; None if none waits."""
        if not self._waiting:
            return None
        due_s, _, message = heapq.heappop(self._waiting)
        self.time_s = max(self.time_s, due_s)
        return message

    def waiting(self, queue: QueueName) -> list[Message]:
        """Return what waits in a queue, in order."""
        return [message for _, message in self.numbered(queue)]

    def numbered(self, queue: QueueName) -> list[tuple[int, Message]]:
        """Return what waits in a queue, in order, each with a number that `remove` takes."""
        return [
            (number, message)
            for _, number, message in sorted(self._waiting, key=lambda one: one[:2])
            if message.queue == queue
        ]

    def remove(self, number: int) -> None:
        """Remove a message; nothing happens if it is gone."""
        self._waiting = [one for one in self._waiting if one[1] != number]
        heapq.heapify(self._waiting)


class MemoryDeadLetters:
    """DeadLetters of memory queues. A letter that was taken comes again at once."""

    def __init__(self, queues: MemoryQueues) -> None:
        self._queues = queues

    def receive(self, limit: int) -> Sequence[DeadLetter]:
        return [
            DeadLetter(job=message.wake_up.job, why=message.why, receipt=str(number))
            for number, message in self._queues.numbered("dead")[:limit]
        ]

    def remove(self, letter: DeadLetter) -> None:
        self._queues.remove(int(letter.receipt))
