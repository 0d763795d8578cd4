"""Queues as the emulator serves them once it is corrected."""

import json
import time
from collections.abc import Iterator
from typing import Any

import boto3
import pytest

from lampyris_local.cloud.endpoint import MotoEndpoint


@pytest.fixture(scope="module")
def sqs() -> Iterator[Any]:
    with MotoEndpoint() as endpoint:
        yield boto3.client(
            "sqs",
            endpoint_url=endpoint.url,
            region_name="us-east-1",
            aws_access_key_id="test",
            aws_secret_access_key="test",
        )


@pytest.fixture
def queue(sqs: Any, request: pytest.FixtureRequest) -> Iterator[str]:
    url = sqs.create_queue(
        QueueName="ordered.fifo", Attributes={"FifoQueue": "true", **getattr(request, "param", {})}
    )["QueueUrl"]
    yield url
    sqs.delete_queue(QueueUrl=url)


def send(sqs: Any, queue: str, *messages: str) -> None:
    """Send messages, each "group body"; the body is what tells duplicates."""
    for message in messages:
        group, body = message.split()
        sqs.send_message(
            QueueUrl=queue, MessageBody=message, MessageGroupId=group, MessageDeduplicationId=body
        )


def receive(sqs: Any, queue: str, *, visible_after_s: int = 30) -> list[Any]:
    answer = sqs.receive_message(
        QueueUrl=queue,
        MaxNumberOfMessages=10,
        VisibilityTimeout=visible_after_s,
        MessageSystemAttributeNames=["All"],
    )
    return list(answer.get("Messages", []))


def bodies(messages: list[Any]) -> list[str]:
    return [message["Body"] for message in messages]


def test_messages_that_come_back_together_come_in_their_order(sqs: Any, queue: str) -> None:
    send(sqs, queue, "a 1", "a 2", "a 3")
    receive(sqs, queue, visible_after_s=1)
    time.sleep(1.1)

    first = receive(sqs, queue)

    assert bodies(first)[0] == "a 1"


def test_group_waits_for_its_message_and_others_do_not(sqs: Any, queue: str) -> None:
    send(sqs, queue, "a 1")
    receive(sqs, queue)
    send(sqs, queue, "a 2", "b 3")

    meanwhile = receive(sqs, queue)

    assert bodies(meanwhile) == ["b 3"]


def test_duplicate_of_a_message_that_was_done_is_not_delivered(sqs: Any, queue: str) -> None:
    send(sqs, queue, "a 1")
    (message,) = receive(sqs, queue)
    sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])

    send(sqs, queue, "a 1", "b 1", "a 2")

    assert bodies(receive(sqs, queue)) == ["a 2"]


@pytest.mark.parametrize("queue", [{"DeduplicationScope": "messageGroup"}], indirect=True)
def test_duplicates_are_those_of_a_group_where_the_queue_says_so(sqs: Any, queue: str) -> None:
    send(sqs, queue, "a 1", "b 1", "b 1")

    assert bodies(receive(sqs, queue)) == ["a 1", "b 1"]


@pytest.mark.parametrize("queue", [{"ContentBasedDeduplication": "true"}], indirect=True)
def test_content_tells_duplicates_where_the_queue_says_so(sqs: Any, queue: str) -> None:
    for body in ("same", "other", "same"):
        sqs.send_message(QueueUrl=queue, MessageBody=body, MessageGroupId="a")

    assert bodies(receive(sqs, queue)) == ["same", "other"]


def test_messages_are_numbered_in_their_order(sqs: Any, queue: str) -> None:
    send(sqs, queue, "a 1", "b 2", "a 3")

    numbers = [message["Attributes"]["SequenceNumber"] for message in receive(sqs, queue)]

    assert numbers == sorted(numbers)
    assert len(set(numbers)) == 3


def test_attributes_are_those_that_sqs_shows(sqs: Any) -> None:
    dead = sqs.create_queue(QueueName="dead")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=dead, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    policy = json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": 3})
    url = sqs.create_queue(QueueName="plain", Attributes={"RedrivePolicy": policy})["QueueUrl"]
    for number in range(3):
        sqs.send_message(QueueUrl=url, MessageBody="x", DelaySeconds=60 if number == 0 else 0)
    sqs.receive_message(QueueUrl=url)

    attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]

    counts = [attributes[f"ApproximateNumberOfMessages{which}"] for which in ("", "Delayed", "NotVisible")]
    assert counts == ["1", "1", "1"]
    assert json.loads(attributes["RedrivePolicy"]) == json.loads(policy)
    assert attributes["SqsManagedSseEnabled"] == "true"
    assert "FifoQueue" not in attributes
