"""Faults as a local cloud injects them into functions and queues."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lampyris_local.cloud.faults import Faults
from lampyris_local.cloud.local_cloud import LocalCloud
from lampyris_local.cloud.reports import LogLine

Client = Callable[..., Any]


def kept(s3: Any, cloud: LocalCloud) -> set[str]:
    answer = s3.list_objects_v2(Bucket=cloud.outputs["Bucket"])
    return {found["Key"] for found in answer.get("Contents", [])}


def test_what_may_be_done_again_is_done_whatever_befalls_it(jobs_template: Path, client: Client) -> None:
    lines: list[LogLine] = []
    faults = Faults(kill=0.3, throttle=0.2, duplicate=0.3, reorder=0.3, seed=1)
    bodies = [f"message-{number}" for number in range(4)]

    with LocalCloud(jobs_template, faults=faults, on_line=lines.append) as cloud:
        sqs, s3 = client(cloud, "sqs"), client(cloud, "s3")
        for body in bodies:
            sqs.send_message(QueueUrl=cloud.outputs["Keeping"], MessageBody=body)
        ends = time.monotonic() + 40
        while len(kept(s3, cloud)) < 8 and time.monotonic() < ends:
            time.sleep(0.2)
        written = kept(s3, cloud)

    told = [line for line in lines if line.kind == "FAULT"]
    assert written == {*bodies, *(f"{body}-done" for body in bodies)}
    assert {line.function for line in told} == {"Keep", "Keeping"}
    for what in ("killed ", "throttled (s3 PUT ", "comes again", "comes behind"):
        assert any(what in line.text for line in told), what


def test_function_that_no_queue_wakes_is_throttled_but_not_killed(jobs_template: Path) -> None:
    lines: list[LogLine] = []

    with LocalCloud(jobs_template, faults=Faults(kill=1, throttle=1), on_line=lines.append) as cloud:
        invocation = cloud.invoke("Plain", {"Records": [{"body": "one"}]})

    (told,) = (line.text for line in lines if line.kind == "FAULT")
    assert "SlowDown" in invocation.payload["errorMessage"]
    assert told.startswith("call 1 throttled (s3 PUT ")


def test_invocation_that_is_killed_is_lost_with_its_environment(jobs_template: Path) -> None:
    lines: list[LogLine] = []

    with LocalCloud(jobs_template, faults=Faults(kill=1), on_line=lines.append) as cloud:
        invocation = cloud.invoke("Train", {})

    (told,) = (line.text for line in lines if line.kind == "FAULT")
    assert invocation.payload["errorType"] == "Runtime.ExitError"
    assert told.startswith("killed")
    assert told.endswith("invocation 1 of Train")
