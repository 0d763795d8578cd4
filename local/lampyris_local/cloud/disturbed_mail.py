"""Messages of a queue that come late, twice or out of their order, as the faults say."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lampyris_local.cloud.faults import Faults, travel
from lampyris_local.cloud.stack import Queue

Message = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Delivery:
    """Messages to be handed over as one batch, after so many seconds."""

    messages: Sequence[Message]
    after_s: float = 0.0


class DisturbedMail:
    """Turns what was received from a queue into deliveries. `tell` says what happened to a message."""

    def __init__(self, faults: Faults, queue: Queue, tell: Callable[[str], None]) -> None:
        self._faults = faults
        self._queue = queue
        self._tell = tell
        self._received = 0
        self._held: list[Message] = []

    def deliveries(self, received: Sequence[Message]) -> list[Delivery]:
        """Plan what is handed over after a poll, which may have found nothing: the batch of now is first.

        A message that is out of its order waits until the next poll.
        """
        if self._queue.fifo:
            return [self._whole(received)] if received else []
        held, self._held = self._held, []
        now: list[Message] = []
        later: list[Delivery] = []
        for message in received:
            self._received += 1
            comes = travel(self._faults, self._queue.logical_id, self._received)
            name = f"message {self._received} ({message['MessageId']})"
            if comes.again_s is not None:
                self._tell(f"{name} comes again after {comes.again_s:.2f} s")
                later.append(Delivery(messages=[message], after_s=comes.again_s))
            if comes.delay_s:
                self._tell(f"{name} comes {comes.delay_s:.2f} s late")
                later.append(Delivery(messages=[message], after_s=comes.delay_s))
            elif comes.is_reordered:
                self._tell(f"{name} comes behind those of the next poll")
                self._held.append(message)
            else:
                now.append(message)
        batches = [Delivery(messages=batch) for batch in (now, held) if batch]
        return batches + later

    def _whole(self, batch: Sequence[Message]) -> Delivery:
        late_s = 0.0
        for _ in batch:
            self._received += 1
            late_s = max(late_s, travel(self._faults, self._queue.logical_id, self._received).delay_s)
        if late_s:
            self._tell(f"{len(batch)} messages up to message {self._received} come {late_s:.2f} s late")
        return Delivery(messages=batch, after_s=late_s)
