import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import boto3
import pytest

from lampyris_local.cloud.invocation import Invocation
from lampyris_local.cloud.local_cloud import LocalCloud
from lampyris_local.cloud.reports import Report
from lampyris_local.cloud.sqs_source import failed_ids, sqs_event

REPORT = Report(
    request_id="1",
    duration_ms=1.0,
    init_duration_ms=None,
    memory_mb=128,
    max_memory_mb=30,
    status=None,
)
BATCH = [{"MessageId": "a"}, {"MessageId": "b"}, {"MessageId": "c"}]


def client(cloud: LocalCloud, service: str) -> Any:
    return boto3.client(
        service,
        endpoint_url=cloud.endpoint_url,
        region_name=cloud.region,
        aws_access_key_id="test",
        aws_secret_access_key="test",
    )


def wait_until(done: Callable[[], Any], limit_s: float = 20.0) -> Any:
    """Wait for something to be true, and return it."""
    ends = time.monotonic() + limit_s
    while not (found := done()):
        assert time.monotonic() < ends, "it did not come to pass"
        time.sleep(0.05)
    return found


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
    cloud: LocalCloud, notes: Path
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


def test_object_in_the_inbox_wakes_the_function_through_the_queue(cloud: LocalCloud, notes: Path) -> None:
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
