"""What SQS's FIFO queues do and moto's do not: order after a failure, and which messages are duplicates.

As moto 5.2 has it, of messages of one group that become visible together the last comes first; a message is
forgotten as soon as it is deleted, so that its duplicate comes again; and a message of one group is a
duplicate of another group's, whatever DeduplicationScope says.
Sources: using-messagededuplicationid-property.html and FIFO-queues-understanding-logic.html of
https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/
"""

from typing import Any

from moto.core.utils import unix_time
from moto.sqs import models

DEDUPLICATION_INTERVAL_S = 300
# How long a poll waits that finds nothing but messages whose group is busy; moto would not wait at all.
BUSY_POLL_S = 0.1


class Queue(models.Queue):
    """A queue of moto's, corrected where it is a FIFO queue."""

    def __init__(self, *given: Any, **attributes: Any) -> None:
        self._sent_s: dict[tuple[str | None, str], float] = {}
        self._numbered = 0
        super().__init__(*given, **attributes)

    @property
    def pending_message_groups(self) -> set[str]:
        """The groups of which a message is being worked on; one that is visible again holds up nobody."""
        return {
            message.group_id
            for message in self.pending_messages
            if message.group_id is not None and not message.visible
        }

    def add_message(self, message: Any) -> None:
        """Take a message, unless it is a duplicate of one sent within five minutes.

        A message that was received before comes from another queue, which has let it pass already.
        """
        if self.fifo_queue:
            if message.approximate_receive_count == 0 and self._is_duplicate(message):
                return
            self._numbered += 1
            message.sequence_number = f"{self._numbered:020d}"
        with self._messages_lock:
            self._messages.append(message)
            self._messages_lock.notify_all()

    def wait_for_messages(self, timeout: int) -> None:
        if self.fifo_queue:
            with self._messages_lock:
                self._messages_lock.wait(min(timeout, BUSY_POLL_S))
        else:
            super().wait_for_messages(timeout)

    def _is_duplicate(self, message: Any) -> bool:
        by_group = self.attributes["DeduplicationScope"] == "messageGroup"
        key = (message.group_id if by_group else None, message.deduplication_id)
        now_s = unix_time()
        if now_s - self._sent_s.get(key, -DEDUPLICATION_INTERVAL_S) < DEDUPLICATION_INTERVAL_S:
            return True
        self._sent_s = {
            other: sent_s
            for other, sent_s in self._sent_s.items()
            if now_s - sent_s < DEDUPLICATION_INTERVAL_S
        }
        self._sent_s[key] = now_s
        return False


def correct_fifo_queues() -> None:
    """Have moto make its queues of the corrected kind from now on."""
    vars(models)["Queue"] = Queue
