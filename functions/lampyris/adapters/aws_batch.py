"""Machines of AWS Batch: a message to them is a job there, which starts as many as it wants.

It is found again by its name, which says what job it is about. The job definition is one for several nodes,
from 0 on, of which each submission says the number. Its command finds in LAMPYRIS_JOB which job it is about.
"""

from collections.abc import Callable, Sequence
from typing import Any

from lampyris.adapters.boto3_clients import CallFailed, calling
from lampyris.errors import QueueUnavailable
from lampyris.jobs.wake_ups import QueueName, Queues, WakeUp

JOB_VARIABLE = "LAMPYRIS_JOB"
_ENDED = frozenset({"SUCCEEDED", "FAILED"})


class BatchMachines:
    """Queues of which "machines" is AWS Batch, and all others are those of `queues`.

    `client` is boto3's for Batch; `job_queue` and `definition` are names or ARNs there. `nodes` says how many
    machines a job wants.
    """

    def __init__(
        self,
        queues: Queues,
        client: Any,
        *,
        job_queue: str,
        definition: str,
        nodes: Callable[[str], int],
    ) -> None:
        self._queues = queues
        self._client = client
        self._job_queue = job_queue
        self._definition = definition
        self._nodes = nodes

    def send(
        self, queue: QueueName, message: WakeUp, *, delay_s: int = 0, why: dict[str, str] | None = None
    ) -> None:
        """Send a message; to machines without a delay, which Batch does not have, nor any reason beside it.

        Raises: QueueUnavailable; and what `nodes` raises.
        """
        if queue != "machines":
            self._queues.send(queue, message, delay_s=delay_s, why=why)
            return
        nodes = self._nodes(message.job)
        try:
            with calling():
                self._client.submit_job(
                    jobName=_name(message.job),
                    jobQueue=self._job_queue,
                    jobDefinition=self._definition,
                    nodeOverrides={
                        "numNodes": nodes,
                        "nodePropertyOverrides": [
                            {
                                "targetNodes": "0:",  # as the definition has it: all, however many
                                "containerOverrides": {
                                    "environment": [{"name": JOB_VARIABLE, "value": message.job}]
                                },
                            }
                        ],
                    },
                )
        except CallFailed as error:
            raise QueueUnavailable(operation="ask for machines", cause=error.cause) from error


class RunningMachines:
    """Machines. `client` is boto3's for Batch; `job_queue` a name or an ARN there."""

    def __init__(self, client: Any, *, job_queue: str) -> None:
        self._client = client
        self._job_queue = job_queue

    def of(self, job: str) -> Sequence[str]:
        try:
            with calling():
                pages = self._client.get_paginator("list_jobs").paginate(
                    jobQueue=self._job_queue, filters=[{"name": "JOB_NAME", "values": [_name(job)]}]
                )
                return [
                    one["jobId"]
                    for page in pages
                    for one in page["jobSummaryList"]
                    if one["status"] not in _ENDED
                ]
        except CallFailed as error:
            raise QueueUnavailable(operation="look for machines", cause=error.cause) from error

    def stop(self, machine: str) -> None:
        try:
            with calling():
                self._client.terminate_job(jobId=machine, reason="Its job has ended.")
        except CallFailed as error:
            raise QueueUnavailable(operation="stop a machine", cause=error.cause) from error


def _name(job: str) -> str:
    return f"lampyris-{job}"
