"""Machines that were called for jobs, found and stopped in AWS Batch as a local cloud has it."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

from lampyris.adapters.aws_batch import BatchMachines, RunningMachines
from lampyris.adapters.memory_queues import MemoryQueues
from lampyris.errors import QueueUnavailable
from lampyris.jobs.wake_ups import WakeUp
from lampyris_local.cloud.local_cloud import LocalCloud

LIMIT_S = 30.0


@pytest.fixture(scope="module")
def cloud(toy_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCloud]:
    notes = str(tmp_path_factory.mktemp("notes"))
    with LocalCloud(toy_template.parent / "jobs.yaml", parameters={"Notes": notes}) as cloud:
        yield cloud


@pytest.fixture(scope="module")
def batch(cloud: LocalCloud) -> Any:
    environment = cloud.invoke("Train", {}).payload["environment"]
    return boto3.client(
        "batch",
        endpoint_url=environment["AWS_ENDPOINT_URL_BATCH"],
        region_name=cloud.region,
        aws_access_key_id="test",
        aws_secret_access_key="test",
    )


def wait_until(done: Callable[[], bool]) -> None:
    ends = time.monotonic() + LIMIT_S
    while not done():
        assert time.monotonic() < ends, "it did not come to pass"
        time.sleep(0.05)


def test_machines_of_a_job_are_found_and_stopped_and_no_others(cloud: LocalCloud, batch: Any) -> None:
    queue = cloud.outputs["MachineQueue"]
    calling = BatchMachines(
        MemoryQueues(), batch, job_queue=queue, definition=cloud.outputs["Together"], nodes=lambda _: 1
    )
    machines = RunningMachines(batch, job_queue=queue)
    for job in ("wait", "wait", "wait-too", "done"):
        calling.send("machines", WakeUp(job=job))

    found = machines.of("wait")
    for one in (*found, *found):
        machines.stop(one)

    wait_until(lambda: machines.of("wait") == [])
    assert len(found) == 2
    (other,) = machines.of("wait-too")
    machines.stop(other)
    wait_until(lambda: machines.of("done") == [])


def test_queue_that_is_not_there_cannot_be_asked(batch: Any) -> None:
    with pytest.raises(QueueUnavailable, match="look for machines"):
        RunningMachines(batch, job_queue="nowhere").of("job")
