"""What jobs need of a template, run by a local cloud whose time limits are shortened."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from lampyris_local.cloud.local_cloud import LocalCloud
from lampyris_local.cloud.reports import LogLine

Client = Callable[..., Any]
WaitUntil = Callable[[Callable[[], Any]], Any]
LIMIT_S = 2


@pytest.fixture(scope="module")
def lines() -> list[LogLine]:
    return []


@pytest.fixture(scope="module")
def jobs_cloud(jobs_template: Path, records: Path, lines: list[LogLine]) -> Iterator[LocalCloud]:
    parameters = {"Notes": str(records), "HasMachines": "no"}
    with LocalCloud(
        jobs_template, parameters=parameters, time_limit_s=LIMIT_S, on_line=lines.append
    ) as cloud:
        yield cloud


def noted(records: Path) -> list[str]:
    """The bodies that came, in the order in which they came."""
    return [json.loads(note.read_text() or "{}").get("body") for note in sorted(records.iterdir())]


def test_images_function_runs_with_all_source_roots(jobs_cloud: LocalCloud) -> None:
    answer = jobs_cloud.invoke("Train", {}).payload

    assert answer["built"] == "a model"
    assert "AWS_EXECUTION_ENV" not in answer["environment"]


def test_function_is_told_the_shortened_time(jobs_cloud: LocalCloud) -> None:
    answer = jobs_cloud.invoke("Train", {}).payload

    assert 0 < answer["remaining_ms"] <= LIMIT_S * 1000


def test_function_is_killed_at_the_shortened_time(jobs_cloud: LocalCloud) -> None:
    invocation = jobs_cloud.invoke("Train", {"seconds": 60})

    assert invocation.report.status == "timeout"
    assert "Task timed out after 2.00 seconds" in invocation.payload["errorMessage"]


def test_queues_that_wake_functions_give_messages_back_sooner(jobs_cloud: LocalCloud, client: Client) -> None:
    sqs = client(jobs_cloud, "sqs")

    attributes = sqs.get_queue_attributes(QueueUrl=jobs_cloud.outputs["Waking"], AttributeNames=["All"])

    assert attributes["Attributes"]["VisibilityTimeout"] == "30"


def test_failing_message_holds_back_its_own_group_until_it_is_a_dead_letter(
    jobs_cloud: LocalCloud, records: Path, lines: list[LogLine], client: Client, wait_until: WaitUntil
) -> None:
    sqs = client(jobs_cloud, "sqs")
    queue = jobs_cloud.outputs["Ordered"]

    for number, message in enumerate(("a fail", "a second", "a third", "b first", "b second")):
        sqs.send_message(
            QueueUrl=queue, MessageBody=message, MessageGroupId=message[0], MessageDeduplicationId=str(number)
        )
    wait_until(lambda: "a third" in noted(records))

    came = noted(records)
    told = wait_until(lambda: [line for line in lines if line.kind == "QUEUE"])
    (dead,) = sqs.receive_message(QueueUrl=jobs_cloud.outputs["OrderedDeadLetters"])["Messages"]
    assert came.count("a fail") == 2
    in_order = list(dict.fromkeys(came))
    assert [one for one in in_order if one[0] == "a"] == ["a fail", "a second", "a third"]
    assert [one for one in in_order if one[0] == "b"] == ["b first", "b second"]
    assert in_order.index("b second") < in_order.index("a second")
    assert dead["Body"] == "a fail"
    assert [(line.function, line.text) for line in told] == [("OrderedDeadLetters", "1 message waits here")]


def test_table_has_its_index_and_what_needs_no_local_effect_is_passed_over(
    jobs_cloud: LocalCloud, client: Client
) -> None:
    dynamodb = client(jobs_cloud, "dynamodb")

    description = dynamodb.describe_table(TableName=jobs_cloud.outputs["Table"])["Table"]

    assert [index["IndexName"] for index in description["GlobalSecondaryIndexes"]] == ["lists"]
    assert "StreamSpecification" not in description


def test_event_bus_takes_events(jobs_cloud: LocalCloud, client: Client) -> None:
    events = client(jobs_cloud, "events")
    bus = jobs_cloud.outputs["Bus"]

    answer = events.put_events(
        Entries=[{"EventBusName": bus, "Source": "toys", "DetailType": "Job succeeded", "Detail": "{}"}]
    )

    assert answer["FailedEntryCount"] == 0
    assert bus.endswith("-jobs")
