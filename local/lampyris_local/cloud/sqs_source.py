"""Lambda's SQS event source: polls a queue, invokes the function with batches, deletes what succeeded.

What is not deleted becomes visible again after the queue's visibility timeout, and in the end the queue's own
redrive policy moves it to the dead-letter queue. In a FIFO queue it holds back the later messages of its
group until then, and no others: a function that reports item failures stops at a group's first failure, and
reports the rest of that group too. A function that is throttled is invoked again with the same messages while
they are out of sight; for that AWS advises to hide them for six times as long as the function may run.
Sources: https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html and
https://docs.aws.amazon.com/lambda/latest/dg/sqs-retries.html
"""

import asyncio
import functools
import hashlib
import json
import logging
import math
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from concurrent.futures import Executor
from typing import Any

import msgspec
from botocore.exceptions import BotoCoreError, ClientError

from lampyris_local.cloud.disturbed_mail import Delivery, DisturbedMail, Message
from lampyris_local.cloud.invocation import Invocation, InvokeError, ThrottledError
from lampyris_local.cloud.stack import QueueSource
from lampyris_local.cloud.uploaders import with_uploader

log = logging.getLogger(__name__)

LONG_POLL_S = 1  # an unfinished poll holds up the end of the process, so it is not 20
RECEIVE_LIMIT = 10
WINDOW_POLL_S = 0.1
RETRY_S = 1.0


class SqsSource:
    """`run` works until it is cancelled. `sqs` is a boto3 client, called in threads of `executor`.

    `uploader` is who puts objects into this cloud's S3. What is `disturbed` comes otherwise than it should.
    """

    def __init__(
        self,
        source: QueueSource,
        invoke: Callable[[str, bytes], Awaitable[Invocation]],
        *,
        sqs: Any,
        executor: Executor,
        region: str,
        uploader: str,
        disturbed: DisturbedMail | None = None,
    ) -> None:
        self._source = source
        self._invoke = invoke
        self._sqs = sqs
        self._executor = executor
        self._region = region
        self._uploader = uploader
        self._disturbed = disturbed

    async def run(self) -> None:
        slots = asyncio.Semaphore(self._source.max_concurrency)
        async with asyncio.TaskGroup() as batches:
            while True:
                await slots.acquire()
                try:
                    messages = await self._collect()
                except (BotoCoreError, ClientError) as error:
                    log.warning("Polling %s failed: %s", self._source.queue.name, error)
                    messages = []
                    await asyncio.sleep(RETRY_S)
                deliveries = self._deliveries(messages)
                if deliveries and not deliveries[0].after_s:
                    batch = batches.create_task(self._process(deliveries.pop(0).messages))
                    batch.add_done_callback(lambda _: slots.release())
                else:
                    slots.release()
                for delivery in deliveries:
                    batches.create_task(self._process_late(delivery, slots))

    def _deliveries(self, messages: Sequence[Message]) -> list[Delivery]:
        if self._disturbed is not None:
            return self._disturbed.deliveries(messages)
        return [Delivery(messages=messages)] if messages else []

    async def _collect(self) -> list[Message]:
        """Wait for messages; then for as many as a batch holds, but no longer than the batching window."""
        loop = asyncio.get_running_loop()
        messages = await self._receive(self._source.batch_size, LONG_POLL_S)
        closes_s = loop.time() + self._source.batching_window_s
        while messages and len(messages) < self._source.batch_size and loop.time() < closes_s:
            more = await self._receive(self._source.batch_size - len(messages), 0)
            messages += more
            if not more:
                await asyncio.sleep(WINDOW_POLL_S)
        return messages

    async def _receive(self, most: int, wait_s: int) -> list[Message]:
        answer = await self._call(
            "receive_message",
            MaxNumberOfMessages=min(most, RECEIVE_LIMIT),
            WaitTimeSeconds=wait_s,
            MessageSystemAttributeNames=["All"],
            MessageAttributeNames=["All"],
        )
        return list(answer.get("Messages", []))

    async def _process_late(self, delivery: Delivery, slots: asyncio.Semaphore) -> None:
        """Keep messages out of sight until their time has come, and for as long again as any other batch."""
        visible_after_s = self._source.queue.visibility_timeout_s
        await self._hide(delivery.messages, visible_after_s + math.ceil(delivery.after_s))
        await asyncio.sleep(delivery.after_s)
        async with slots:
            await self._hide(delivery.messages, visible_after_s)
            await self._process(delivery.messages)

    async def _hide(self, messages: Sequence[Message], for_s: int) -> None:
        """Keep messages out of sight; one that was deleted meanwhile stays deleted."""
        entries = [{**entry, "VisibilityTimeout": for_s} for entry in _entries(messages)]
        try:
            for start in range(0, len(entries), RECEIVE_LIMIT):
                batch = entries[start : start + RECEIVE_LIMIT]
                await self._call("change_message_visibility_batch", Entries=batch)
        except (BotoCoreError, ClientError) as error:
            log.warning("Keeping messages of %s out of sight failed: %s", self._source.queue.name, error)

    async def _process(self, messages: Sequence[Message]) -> None:
        """Invoke the function with a batch, and delete what succeeded."""
        event = sqs_event(messages, self._source.queue.arn, self._region, self._uploader)
        try:
            invocation = await self._invoke_when_possible(msgspec.json.encode(event))
        except InvokeError as error:
            log.warning("%s keeps a batch of %d: %s", self._source.queue.name, len(messages), error)
            return
        failed = failed_ids(invocation, messages, reports_item_failures=self._source.reports_item_failures)
        if self._source.queue.fifo:
            for group in groups_out_of_order(messages, failed):
                log.warning(
                    "%s: %s failed on a message of the group %s, but not on a later one: their order is lost",
                    self._source.queue.name,
                    self._source.function,
                    group,
                )
        done = [message for message in messages if message["MessageId"] not in failed]
        try:
            for start in range(0, len(done), RECEIVE_LIMIT):
                await self._delete(done[start : start + RECEIVE_LIMIT])
        except (BotoCoreError, ClientError) as error:
            log.warning("Deleting from %s failed: %s", self._source.queue.name, error)

    async def _invoke_when_possible(self, event: bytes) -> Invocation:
        """Invoke the function, again while it is throttled; half the time out of sight is left for its work.

        Raises: InvokeError.
        """
        loop = asyncio.get_running_loop()
        gives_up_s = loop.time() + self._source.queue.visibility_timeout_s / 2
        while True:
            try:
                return await self._invoke(self._source.function, event)
            except ThrottledError:
                if loop.time() + RETRY_S > gives_up_s:
                    raise
                await asyncio.sleep(RETRY_S)

    async def _delete(self, messages: Sequence[Message]) -> None:
        await self._call("delete_message_batch", Entries=_entries(messages))

    async def _call(self, operation: str, **arguments: Any) -> Mapping[str, Any]:
        call = functools.partial(getattr(self._sqs, operation), QueueUrl=self._source.queue.url, **arguments)
        answer: Mapping[str, Any] = await asyncio.get_running_loop().run_in_executor(self._executor, call)
        return answer


def _entries(messages: Sequence[Message]) -> list[dict[str, Any]]:
    return [
        {"Id": str(position), "ReceiptHandle": message["ReceiptHandle"]}
        for position, message in enumerate(messages)
    ]


def sqs_event(messages: Sequence[Message], queue_arn: str, region: str, uploader: str) -> dict[str, Any]:
    """Shape received messages as Lambda hands them to a function."""
    return {"Records": [_record(message, queue_arn, region, uploader) for message in messages]}


def _record(message: Message, queue_arn: str, region: str, uploader: str) -> dict[str, Any]:
    body = with_uploader(message["Body"], uploader)
    return {
        "messageId": message["MessageId"],
        "receiptHandle": message["ReceiptHandle"],
        "body": body,
        "attributes": message.get("Attributes", {}),
        "messageAttributes": {
            name: _message_attribute(attribute)
            for name, attribute in message.get("MessageAttributes", {}).items()
        },
        "md5OfBody": hashlib.md5(body.encode(), usedforsecurity=False).hexdigest(),
        "eventSource": "aws:sqs",
        "eventSourceARN": queue_arn,
        "awsRegion": region,
    }


def _message_attribute(attribute: Mapping[str, Any]) -> dict[str, Any]:
    value = {"stringValue": attribute["StringValue"]} if "StringValue" in attribute else {}
    if "BinaryValue" in attribute:
        value["binaryValue"] = attribute["BinaryValue"]  # bytes, which the JSON encoder writes as base64
    return {**value, "stringListValues": [], "binaryListValues": [], "dataType": attribute["DataType"]}


def failed_ids(
    invocation: Invocation, messages: Sequence[Message], *, reports_item_failures: bool
) -> set[str]:
    """Which messages stay in the queue.

    All of them, if the function failed or if its report of failures makes no sense: not a map, or an
    identifier that is missing, empty or of no message. None of them, if it reports nothing.
    """
    everything = {message["MessageId"] for message in messages}
    if invocation.function_error is not None:
        return everything
    if not reports_item_failures:
        return set()
    try:
        answer = json.loads(invocation.body)
    except ValueError:
        return everything
    if answer is None:
        return set()
    if not isinstance(answer, dict):
        return everything
    failures = answer.get("batchItemFailures") or []
    if not isinstance(failures, list):
        return everything
    failed = {failure.get("itemIdentifier") if isinstance(failure, dict) else None for failure in failures}
    return everything if failed - everything else everything & failed


def groups_out_of_order(messages: Sequence[Message], failed: Collection[str]) -> set[str]:
    """Which groups of a FIFO queue have a message that failed before one that did not."""
    broken: set[str] = set()
    lost: set[str] = set()
    for message in messages:
        group = message["Attributes"]["MessageGroupId"]
        if message["MessageId"] in failed:
            broken.add(group)
        elif group in broken:
            lost.add(group)
    return lost
