"""Machines of AWS Batch: a message to them is a job there, which starts as many as it wants.

The job definition is one for several nodes, from 0 on, of which each submission says the number. Its command
finds in LAMPYRIS_JOB which job it is about.
"""

from collections.abc import Callable
from typing import Any

from lampyris.adapters.boto3_clients import CallFailed, calling
from lampyris.errors import QueueUnavailable
from lampyris.jobs.wake_ups import QueueName, Queues, WakeUp

JOB_VARIABLE = "LAMPYRIS_JOB"


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
                    jobName=f"lampyris-{message.job}",
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
