"""Queues in SQS."""

import re
from collections.abc import Mapping
from typing import Any

from lampyris.adapters.boto3_clients import CallFailed, calling
from lampyris.errors import QueueUnavailable
from lampyris.jobs.wake_ups import QueueName, WakeUp, encode_wake_up

# What SQS takes in no message: most control characters, and halves of characters.
_NOT_TAKEN = re.compile("[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_WHY_LENGTH = 2000


class SqsQueues:
    """Queues by the names that jobs have for them. `client` is boto3's for SQS."""

    def __init__(self, client: Any, urls: Mapping[QueueName, str]) -> None:
        self._client = client
        self._urls = urls

    def send(
        self, queue: QueueName, message: WakeUp, *, delay_s: int = 0, why: dict[str, str] | None = None
    ) -> None:
        try:
            with calling():
                self._client.send_message(
                    QueueUrl=self._urls[queue],
                    MessageBody=encode_wake_up(message).decode(),
                    DelaySeconds=delay_s,
                    MessageAttributes=_attributes(why or {}),
                )
        except CallFailed as error:
            raise QueueUnavailable(operation=f"send to {queue}", cause=error.cause) from error

    def put_off(self, queue: QueueName, receipt: str, *, delay_s: int) -> None:
        """Let a message that was received come again after a delay. Raises: QueueUnavailable."""
        try:
            with calling():
                self._client.change_message_visibility(
                    QueueUrl=self._urls[queue], ReceiptHandle=receipt, VisibilityTimeout=delay_s
                )
        except CallFailed as error:
            raise QueueUnavailable(operation=f"put a message of {queue} off", cause=error.cause) from error


def _attributes(why: Mapping[str, str]) -> dict[str, dict[str, str]]:
    """Say why as SQS takes it: no text is empty, or too long, or holds what is no text."""
    texts = {name: _NOT_TAKEN.sub("\ufffd", text)[:_WHY_LENGTH] for name, text in why.items()}
    return {name: {"DataType": "String", "StringValue": text} for name, text in texts.items() if text}
