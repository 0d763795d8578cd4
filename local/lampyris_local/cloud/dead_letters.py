"""Tells when messages come to wait in a queue that wakes no function: nobody else would notice."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from functools import partial
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from lampyris_local.cloud.stack import Queue

log = logging.getLogger(__name__)

LOOK_S = 5.0
_COUNT = "ApproximateNumberOfMessages"


class DeadLetters:
    """`run` works until it is cancelled. `sqs` is a boto3 client, called in threads of `executor`."""

    def __init__(
        self, queues: Sequence[Queue], tell: Callable[[Queue, str], None], *, sqs: Any, executor: Executor
    ) -> None:
        self._waiting = dict.fromkeys((queue.arn for queue in queues), 0)
        self._queues = queues
        self._tell = tell
        self._sqs = sqs
        self._executor = executor

    async def run(self) -> None:
        while True:
            try:
                for queue in self._queues:
                    await self._look(queue)
            except (BotoCoreError, ClientError) as error:
                log.warning("Looking at queues failed: %s", error)
            await asyncio.sleep(LOOK_S)

    async def _look(self, queue: Queue) -> None:
        ask = partial(self._sqs.get_queue_attributes, QueueUrl=queue.url, AttributeNames=[_COUNT])
        answer = await asyncio.get_running_loop().run_in_executor(self._executor, ask)
        count = int(answer["Attributes"][_COUNT])
        if count > self._waiting[queue.arn]:
            self._tell(queue, "1 message waits here" if count == 1 else f"{count} messages wait here")
        self._waiting[queue.arn] = count
