"""Jobs of AWS Batch as a local cloud runs them, asked for by AWS's own client and by Lampyris' adapter."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from botocore.exceptions import ClientError

from lampyris.adapters.aws_batch import BatchMachines
from lampyris.adapters.memory_queues import MemoryQueues
from lampyris.errors import QueueUnavailable
from lampyris.jobs.wake_ups import WakeUp
from lampyris_local.cloud.local_cloud import LocalCloud
from lampyris_local.cloud.reports import LogLine

Client = Callable[..., Any]
WaitUntil = Callable[[Callable[[], Any]], Any]
Ended = Callable[[str], dict[str, Any]]


@pytest.fixture(scope="module")
def lines() -> list[LogLine]:
    return []


@pytest.fixture(scope="module")
def batch_cloud(jobs_template: Path, records: Path, lines: list[LogLine]) -> Iterator[LocalCloud]:
    with LocalCloud(jobs_template, parameters={"Notes": str(records)}, on_line=lines.append) as cloud:
        yield cloud


def batch_of(cloud: LocalCloud, client: Client) -> Any:
    """Make a client that finds Batch where a function of the cloud does."""
    environment = cloud.invoke("Train", {}).payload["environment"]
    return client(cloud, "batch", environment["AWS_ENDPOINT_URL_BATCH"])


@pytest.fixture(scope="module")
def batch(batch_cloud: LocalCloud, client: Client) -> Any:
    return batch_of(batch_cloud, client)


def submit(batch: Any, cloud: LocalCloud, name: str, nodes: int = 1) -> str:
    answer = batch.submit_job(
        jobName=name,
        jobQueue=cloud.outputs["MachineQueue"],
        jobDefinition=cloud.outputs["Together"],
        nodeOverrides={
            "numNodes": nodes,
            "nodePropertyOverrides": [
                {
                    "targetNodes": "0:",
                    "containerOverrides": {"environment": [{"name": "LAMPYRIS_JOB", "value": name}]},
                }
            ],
        },
    )
    return str(answer["jobId"])


def state(batch: Any, job: str) -> dict[str, Any]:
    (found,) = batch.describe_jobs(jobs=[job])["jobs"]
    return dict(found)


@pytest.fixture(scope="module")
def ended(batch: Any, wait_until: WaitUntil) -> Ended:
    """Wait for the end of a job, and describe it."""

    def ended(job: str) -> dict[str, Any]:
        wait_until(lambda: state(batch, job)["status"] in ("SUCCEEDED", "FAILED"))
        return state(batch, job)

    return ended


def test_job_succeeds_when_its_main_node_does(
    batch: Any, batch_cloud: LocalCloud, ended: Ended, records: Path, lines: list[LogLine]
) -> None:
    job = submit(batch, batch_cloud, "three", nodes=3)

    outcome = ended(job)

    told = [json.loads((records / f"three-{node}.json").read_text()) for node in range(3)]
    assert outcome["status"] == "SUCCEEDED"
    assert outcome["createdAt"] <= outcome["startedAt"] <= outcome["stoppedAt"]
    assert {node["AWS_BATCH_JOB_NUM_NODES"] for node in told} == {"3"}
    assert len({node["MASTER_PORT"] for node in told}) == 1
    assert all(node["AWS_ENDPOINT_URL"] == batch_cloud.endpoint_url for node in told)
    assert any(line.function == "Together" and line.text == "node 0 of three" for line in lines)


def test_job_fails_as_its_main_node_does(batch: Any, batch_cloud: LocalCloud, ended: Ended) -> None:
    job = submit(batch, batch_cloud, "fail")

    outcome = ended(job)

    assert outcome["status"] == "FAILED"
    assert outcome["statusReason"] == "Essential container in task exited: exit status 3"


def test_job_that_is_terminated_may_say_farewell(
    batch: Any, batch_cloud: LocalCloud, ended: Ended, records: Path, wait_until: WaitUntil
) -> None:
    job = submit(batch, batch_cloud, "stubborn-wait")
    wait_until((records / "stubborn-wait-0.json").exists)

    batch.terminate_job(jobId=job, reason="no longer wanted")

    outcome = ended(job)
    assert (outcome["status"], outcome["statusReason"]) == ("FAILED", "no longer wanted")


def test_jobs_run_one_after_the_other(
    batch: Any, batch_cloud: LocalCloud, ended: Ended, records: Path, wait_until: WaitUntil
) -> None:
    first = submit(batch, batch_cloud, "wait-first")
    second = submit(batch, batch_cloud, "second")
    third = submit(batch, batch_cloud, "third")
    wait_until((records / "wait-first-0.json").exists)

    batch.terminate_job(jobId=third, reason="not yet begun")
    states = [state(batch, job)["status"] for job in (first, second, third)]
    batch.terminate_job(jobId=first, reason="make room")

    assert states == ["RUNNING", "RUNNABLE", "FAILED"]
    assert ended(second)["status"] == "SUCCEEDED"
    assert not (records / "third-0.json").exists()


def test_job_of_one_container_is_told_of_no_nodes(
    batch: Any, batch_cloud: LocalCloud, ended: Ended, records: Path
) -> None:
    job = batch.submit_job(
        jobName="alone",
        jobQueue=batch_cloud.outputs["MachineQueue"],
        jobDefinition=batch_cloud.outputs["Alone"],
    )["jobId"]

    outcome = ended(job)

    told = json.loads((records / "alone-none.json").read_text())
    assert outcome["status"] == "SUCCEEDED"
    assert told["AWS_BATCH_JOB_ID"] == job


@pytest.mark.parametrize(
    ("queue", "definition", "complaint"),
    [
        ("nowhere", "Together", "JobQueue nowhere not found"),
        ("", "nothing", "JobDefinition nothing not found"),
    ],
)
def test_what_is_not_there_is_told(
    batch: Any, batch_cloud: LocalCloud, queue: str, definition: str, complaint: str
) -> None:
    with pytest.raises(ClientError, match=complaint) as refusal:
        batch.submit_job(
            jobName="job",
            jobQueue=queue or batch_cloud.outputs["MachineQueue"],
            jobDefinition=definition,
        )

    assert refusal.value.response["Error"]["Code"] == "ClientException"


def test_no_node_outlives_the_cloud(
    jobs_template: Path, tmp_path: Path, client: Client, wait_until: WaitUntil
) -> None:
    with LocalCloud(jobs_template, parameters={"Notes": str(tmp_path)}) as cloud:
        submit(batch_of(cloud, client), cloud, "wait-in-a-session", nodes=2)
        wait_until(lambda: len(list(tmp_path.iterdir())) == 2)
        mains = [child for child in psutil.Process().children() if "imaged_node" in child.cmdline()]
        nodes = mains + [child for main in mains for child in main.children()]

    assert len(nodes) == 4
    assert not any(node.is_running() and node.status() != psutil.STATUS_ZOMBIE for node in nodes)


def test_template_without_machines_has_no_batch(jobs_template: Path) -> None:
    with LocalCloud(jobs_template, parameters={"HasMachines": "no"}) as cloud:
        environment = cloud.invoke("Train", {}).payload["environment"]

    assert "AWS_ENDPOINT_URL_BATCH" not in environment


def machines(batch: Any, cloud: LocalCloud, queues: MemoryQueues, definition: str) -> BatchMachines:
    return BatchMachines(
        queues,
        batch,
        job_queue=cloud.outputs["MachineQueue"],
        definition=definition,
        nodes=lambda job: int(job[-1]),
    )


def test_message_to_machines_is_a_job_of_as_many_as_it_wants(
    batch: Any, batch_cloud: LocalCloud, records: Path, wait_until: WaitUntil
) -> None:
    sending = machines(batch, batch_cloud, MemoryQueues(), batch_cloud.outputs["Together"])

    sending.send("machines", WakeUp(job="job-of-2"))

    for node in range(2):
        wait_until((records / f"job-of-2-{node}.json").exists)


def test_other_messages_go_to_their_queues(batch: Any, batch_cloud: LocalCloud) -> None:
    queues = MemoryQueues()
    sending = machines(batch, batch_cloud, queues, batch_cloud.outputs["Together"])

    sending.send("attend", WakeUp(job="a", wake=3), delay_s=45)

    (message,) = queues.waiting("attend")
    assert message.wake_up == WakeUp(job="a", wake=3)


def test_batch_that_refuses_is_a_queue_that_is_unavailable(batch: Any, batch_cloud: LocalCloud) -> None:
    sending = machines(batch, batch_cloud, MemoryQueues(), "nothing")

    with pytest.raises(QueueUnavailable, match="ask for machines"):
        sending.send("machines", WakeUp(job="job-1"))
