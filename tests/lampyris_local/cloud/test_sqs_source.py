import asyncio
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from lampyris_local.cloud.invocation import Invocation, ThrottledError
from lampyris_local.cloud.local_cloud import LocalCloud
from lampyris_local.cloud.reports import Report
from lampyris_local.cloud.sqs_source import SqsSource, failed_ids, sqs_event
from lampyris_local.cloud.stack import Queue, QueueSource

Client = Callable[..., Any]
WaitUntil = Callable[[Callable[[], Any]], Any]
REPORT = Report(
    request_id="1",
    duration_ms=1.0,
    init_duration_ms=None,
    memory_mb=128,
    max_memory_mb=30,
    status=None,
)
BATCH = [{"MessageId": "a"}, {"MessageId": "b"}, {"MessageId": "c"}]


def notes_with(notes: Path, text: str) -> list[dict[str, Any]]:
    """What the function Work noted of messages whose body has this text."""
    records = [json.loads(note.read_text() or "{}") for note in sorted(notes.iterdir())]
    return [record for record in records if text in record.get("body", "")]


@pytest.mark.parametrize(
    ("answer", "failed"),
    [
        ({"batchItemFailures": [{"itemIdentifier": "b"}]}, {"b"}),
        ({"batchItemFailures": [{"itemIdentifier": "a"}, {"itemIdentifier": "c"}]}, {"a", "c"}),
        ({"batchItemFailures": []}, set()),
        ({"batchItemFailures": None}, set()),
        ({}, set()),
        (None, set()),
        # What returns the whole batch.
        ({"batchItemFailures": [{"itemIdentifier": ""}]}, {"a", "b", "c"}),
        ({"batchItemFailures": [{"itemIdentifier": None}]}, {"a", "b", "c"}),
        ({"batchItemFailures": [{"itemIdentifer": "a"}]}, {"a", "b", "c"}),
        ({"batchItemFailures": [{"itemIdentifier": "z"}]}, {"a", "b", "c"}),
        ({"batchItemFailures": ["a"]}, {"a", "b", "c"}),
        ({"batchItemFailures": "a"}, {"a", "b", "c"}),
        ("fine", {"a", "b", "c"}),
    ],
)
def test_report_of_failures_says_what_stays_in_the_queue(answer: Any, failed: set[str]) -> None:
    invocation = Invocation(body=json.dumps(answer).encode(), function_error=None, report=REPORT, log=())

    stay = failed_ids(invocation, BATCH, reports_item_failures=True)

    assert stay == failed


def test_function_that_fails_returns_the_whole_batch() -> None:
    invocation = Invocation(body=b"{}", function_error="Unhandled", report=REPORT, log=())

    stay = failed_ids(invocation, BATCH, reports_item_failures=True)

    assert stay == {"a", "b", "c"}


def test_report_of_failures_is_ignored_unless_the_source_asks_for_it() -> None:
    answer = b'{"batchItemFailures": [{"itemIdentifier": "a"}]}'
    invocation = Invocation(body=answer, function_error=None, report=REPORT, log=())

    stay = failed_ids(invocation, BATCH, reports_item_failures=False)

    assert stay == set()


def test_event_has_the_shape_that_aws_documents() -> None:
    attributes = {
        "ApproximateReceiveCount": "1",
        "SentTimestamp": "1545082649183",
        "SenderId": "AIDAIENQZJOLO23YVJ4VO",
        "ApproximateFirstReceiveTimestamp": "1545082649185",
    }
    message = {
        "MessageId": "059f36b4-87a3-44ab-83d2-661975830a7d",
        "ReceiptHandle": "AQEBwJnKyrHigUMZj6rYigCgxlaS3SLy0a...",
        "Body": "Test message.",
        "Attributes": attributes,
        "MessageAttributes": {"myAttribute": {"StringValue": "myValue", "DataType": "String"}},
        "MD5OfBody": "e4e68fb7bd0e697a0ae8f1bb342846b3",
    }

    event = sqs_event([message], "arn:aws:sqs:us-east-2:123456789012:my-queue", "us-east-2", "me@here")

    assert event == {
        "Records": [
            {
                "messageId": "059f36b4-87a3-44ab-83d2-661975830a7d",
                "receiptHandle": "AQEBwJnKyrHigUMZj6rYigCgxlaS3SLy0a...",
                "body": "Test message.",
                "attributes": attributes,
                "messageAttributes": {
                    "myAttribute": {
                        "stringValue": "myValue",
                        "stringListValues": [],
                        "binaryListValues": [],
                        "dataType": "String",
                    }
                },
                "md5OfBody": "e4e68fb7bd0e697a0ae8f1bb342846b3",
                "eventSource": "aws:sqs",
                "eventSourceARN": "arn:aws:sqs:us-east-2:123456789012:my-queue",
                "awsRegion": "us-east-2",
            }
        ]
    }


def test_message_that_keeps_failing_ends_in_the_dead_letter_queue_and_the_others_do_not(
    cloud: LocalCloud, notes: Path, client: Client, wait_until: WaitUntil
) -> None:
    sqs = client(cloud, "sqs")

    for body in ("partial: good", "partial: fail", "partial: also good"):
        sqs.send_message(QueueUrl=cloud.outputs["Messages"], MessageBody=body)

    (dead,) = wait_until(
        lambda: sqs.receive_message(QueueUrl=cloud.outputs["DeadLetters"], WaitTimeSeconds=1).get("Messages")
    )
    seen = [record["body"] for record in notes_with(notes, "partial")]
    assert dead["Body"] == "partial: fail"
    assert seen.count("partial: fail") == 2
    assert seen.count("partial: good") == 1
    assert seen.count("partial: also good") == 1


def test_object_in_the_inbox_wakes_the_function_through_the_queue(
    cloud: LocalCloud, notes: Path, client: Client, wait_until: WaitUntil
) -> None:
    s3 = client(cloud, "s3")
    bucket = cloud.outputs["Bucket"]

    for key in ("inbox/a b/c.txt", "elsewhere/c.json", "inbox/a b/c.json"):
        s3.put_object(Bucket=bucket, Key=key, Body=b"x")

    (record,) = wait_until(lambda: notes_with(notes, "ObjectCreated"))
    (event,) = json.loads(record["body"])["Records"]
    assert event["s3"]["bucket"]["name"] == bucket
    assert event["s3"]["object"]["key"] == "inbox%2Fa+b%2Fc.json"
    assert record["eventSource"] == "aws:sqs"
    assert record["attributes"]["ApproximateReceiveCount"] == "1"


def test_throttled_function_is_invoked_again_with_what_was_received_once(
    cloud: LocalCloud, client: Client
) -> None:
    sqs = client(cloud, "sqs")
    url = sqs.create_queue(QueueName="throttled", Attributes={"VisibilityTimeout": "60"})["QueueUrl"]
    sqs.send_message(QueueUrl=url, MessageBody="patience")
    queue = Queue(
        logical_id="Throttled",
        name="throttled",
        arn="arn:aws:sqs:us-east-1:123456789012:throttled",
        url=url,
        visibility_timeout_s=60,
        attributes={},
    )
    source = QueueSource(
        function="Busy",
        queue=queue,
        batch_size=1,
        batching_window_s=0,
        max_concurrency=1,
        reports_item_failures=False,
    )
    events: list[dict[str, Any]] = []

    async def work(executor: ThreadPoolExecutor) -> None:
        answered = asyncio.Event()

        async def invoke(function: str, event: bytes) -> Invocation:
            events.append(json.loads(event))
            if len(events) < 3:
                raise ThrottledError(function, 10)
            answered.set()
            return Invocation(body=b"null", function_error=None, report=REPORT, log=())

        polling = SqsSource(source, invoke, sqs=sqs, executor=executor, region="us-east-1", uploader="me")
        running = asyncio.create_task(polling.run())
        async with asyncio.timeout(30):
            await answered.wait()
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

    with ThreadPoolExecutor(2) as executor:
        asyncio.run(work(executor))

    received = [
        record["attributes"]["ApproximateReceiveCount"] for each in events for record in each["Records"]
    ]
    assert received == ["1", "1", "1"]


def test_queue_wakes_its_function_however_many_requests_are_under_way(
    toy_template: Path, tmp_path: Path, client: Client, wait_until: WaitUntil
) -> None:
    with LocalCloud(toy_template, parameters={"Notes": str(tmp_path)}, concurrency=0) as cloud:
        client(cloud, "sqs").send_message(QueueUrl=cloud.outputs["Messages"], MessageBody="at last")

        (record,) = wait_until(lambda: notes_with(tmp_path, "at last"))

    assert record["attributes"]["ApproximateReceiveCount"] == "1"
