"""What SQS's queues do and moto's do not: FIFO queues keep their word, and many messages take no longer.

As moto 5.2 has it, of messages of one group that become visible together the last comes first; a message is
forgotten as soon as it is deleted, so that its duplicate comes again; and a message of one group is a
duplicate of another group's, whatever DeduplicationScope says. To send, to receive and to delete a message
each look at all messages of the queue, most of them several times, with a clock for each look.
Sources: using-messagededuplicationid-property.html and FIFO-queues-understanding-logic.html of
https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from moto.core.utils import camelcase_to_underscores, unix_time, unix_time_millis
from moto.sqs import models

DEDUPLICATION_INTERVAL_S = 300
# How long a poll waits that finds nothing but messages whose group is busy; moto would not wait at all.
BUSY_POLL_S = 0.1


class Queue(models.Queue):
    """A queue of moto's, corrected."""

    def __init__(self, *given: Any, **attributes: Any) -> None:
        self._sent_s: dict[tuple[str | None, str], float] = {}
        self._numbered = 0
        super().__init__(*given, **attributes)

    @property
    def attributes(self) -> Any:
        return _Attributes(self)

    @property
    def messages(self) -> list[Any]:
        now_ms = unix_time_millis()
        return [one for one in self._messages if one.visible_at < now_ms and one.delayed_until <= now_ms]

    @property
    def approximate_number_of_messages_delayed(self) -> int:
        now_ms = unix_time_millis()
        return sum(one.delayed_until > now_ms for one in self._messages)

    @property
    def approximate_number_of_messages_not_visible(self) -> int:
        now_ms = unix_time_millis()
        return sum(one.visible_at >= now_ms for one in self._messages)

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

    def delete_message(self, receipt_handle: str) -> None:
        """Delete a message, which is most often one that is being worked on."""
        for message in tuple(self.pending_messages):
            if message.receipt_handle == receipt_handle:
                self.pending_messages.discard(message)
                self.deleted_messages.update(filter(None, message.all_receipt_handles))
                self._messages.remove(message)
                return
        super().delete_message(receipt_handle)

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


class _Attributes(Mapping[str, Any]):
    """A queue's attributes, each worked out when it is asked for: some count all messages."""

    def __init__(self, queue: Queue) -> None:
        self._queue = queue

    def __getitem__(self, name: str) -> Any:
        if name not in self:
            raise KeyError(name)
        value = getattr(self._queue, camelcase_to_underscores(name))
        if isinstance(value, bool):
            return str(value).lower()
        return json.dumps(value) if isinstance(value, dict) else value

    def __contains__(self, name: object) -> bool:
        return name in self._names()

    def __iter__(self) -> Iterator[str]:
        return iter(self._names())

    def __len__(self) -> int:
        return len(self._names())

    def _names(self) -> list[str]:
        queue = self._queue
        fifo = queue.FIFO_ATTRIBUTES if queue.fifo_queue else []
        keys = queue.KMS_ATTRIBUTES if vars(queue)["kms_master_key_id"] else []
        return [*queue.BASE_ATTRIBUTES, *fifo, *keys]


def correct_queues() -> None:
    """Have moto make its queues of the corrected kind from now on."""
    vars(models)["Queue"] = Queue
