"""Dead letters in SQS."""

from collections.abc import Sequence
from typing import Any

import msgspec

from lampyris.adapters.boto3_clients import CallFailed, calling
from lampyris.errors import QueueUnavailable
from lampyris.jobs.dead_letters import DeadLetter
from lampyris.jobs.wake_ups import decode_wake_up

# What one request takes at most; SQS's own limit.
_AT_ONCE = 10
# How long letters that were taken are out of everyone else's sight: time enough to deal with them.
_HIDDEN_S = 60


class SqsDeadLetters:
    """DeadLetters. `client` is boto3's for SQS; what is not about a job is left where it lies."""

    def __init__(self, client: Any, url: str) -> None:
        self._client = client
        self._url = url

    def receive(self, limit: int) -> Sequence[DeadLetter]:
        letters: list[DeadLetter] = []
        while len(letters) < limit:
            found = self._receive(min(_AT_ONCE, limit - len(letters)))
            if not found:
                break
            letters.extend(letter for letter in map(_letter, found) if letter is not None)
        return letters

    def remove(self, letter: DeadLetter) -> None:
        try:
            with calling():
                self._client.delete_message(QueueUrl=self._url, ReceiptHandle=letter.receipt)
        except CallFailed as error:
            raise QueueUnavailable(operation="remove a dead letter", cause=error.cause) from error

    def _receive(self, most: int) -> list[dict[str, Any]]:
        try:
            with calling():
                answer = self._client.receive_message(
                    QueueUrl=self._url,
                    MaxNumberOfMessages=most,
                    MessageAttributeNames=["All"],
                    VisibilityTimeout=_HIDDEN_S,
                    WaitTimeSeconds=1,  # asks all of SQS's servers, and not some
                )
        except CallFailed as error:
            raise QueueUnavailable(operation="receive dead letters", cause=error.cause) from error
        found: list[dict[str, Any]] = answer.get("Messages", [])
        return found


def _letter(message: dict[str, Any]) -> DeadLetter | None:
    try:
        job = decode_wake_up(message["Body"]).job
    except msgspec.DecodeError:
        return None
    attributes = message.get("MessageAttributes", {})
    return DeadLetter(
        job=job,
        why={name: one["StringValue"] for name, one in attributes.items() if "StringValue" in one},
        receipt=message["ReceiptHandle"],
    )
