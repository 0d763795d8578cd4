"""Queues as SQS keeps them."""

from collections.abc import Callable
from itertools import count
from typing import Any

import pytest

from lampyris.adapters.boto3_clients import aws_client
from lampyris.adapters.memory_queues import MemoryDeadLetters, MemoryQueues
from lampyris.adapters.sqs_dead_letters import SqsDeadLetters
from lampyris.adapters.sqs_queues import SqsQueues
from lampyris.errors import QueueUnavailable
from lampyris.jobs.dead_letters import DeadLetters
from lampyris.jobs.wake_ups import Queues, WakeUp, decode_wake_up

_numbers = count(1)


@pytest.fixture(scope="module")
def sqs(moto: str) -> Any:
    return aws_client("sqs", region="us-east-1", endpoint=moto)


@pytest.fixture
def url(sqs: Any) -> str:
    return str(sqs.create_queue(QueueName=f"queue-{next(_numbers)}")["QueueUrl"])


@pytest.fixture
def dead(sqs: Any) -> Callable[[str], tuple[Queues, DeadLetters]]:
    def make(kind: str) -> tuple[Queues, DeadLetters]:
        if kind == "memory":
            queues = MemoryQueues()
            return queues, MemoryDeadLetters(queues)
        url = sqs.create_queue(QueueName=f"dead-{next(_numbers)}")["QueueUrl"]
        return SqsQueues(sqs, {"dead": url}), SqsDeadLetters(sqs, url)

    return make


def test_a_wake_up_comes_as_it_was_sent(sqs: Any, url: str) -> None:
    message = WakeUp(job="j", wake=3, seen=17)

    SqsQueues(sqs, {"attend": url}).send("attend", message)

    (received,) = sqs.receive_message(QueueUrl=url)["Messages"]
    assert decode_wake_up(received["Body"]) == message


def test_a_delayed_wake_up_does_not_come_yet(sqs: Any, url: str) -> None:
    SqsQueues(sqs, {"attend": url}).send("attend", WakeUp(job="j"), delay_s=900)

    assert "Messages" not in sqs.receive_message(QueueUrl=url)
    waiting = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    assert waiting["ApproximateNumberOfMessagesDelayed"] == "1"


def test_a_queue_that_is_not_there_is_unavailable(sqs: Any, url: str) -> None:
    queues = SqsQueues(sqs, {"attend": url + "-none", "train": ""})

    with pytest.raises(QueueUnavailable, match="send to attend"):
        queues.send("attend", WakeUp(job="j"))
    with pytest.raises(QueueUnavailable, match="send to train"):
        queues.send("train", WakeUp(job="j"))


@pytest.mark.parametrize("kind", ["memory", "SQS"])
def test_dead_letters_say_why_until_they_are_removed(
    kind: str, dead: Callable[[str], tuple[Queues, DeadLetters]]
) -> None:
    queues, letters = dead(kind)
    for number in range(12):
        queues.send("dead", WakeUp(job=f"j{number}"), why={"code": "bad-recipe", "detail": "No data."})

    found = letters.receive(11)
    for letter in found:
        letters.remove(letter)
        letters.remove(letter)
    left = letters.receive(11)

    assert len(found) == 11
    assert {letter.job for letter in (*found, *left)} == {f"j{number}" for number in range(12)}
    assert all(letter.why == {"code": "bad-recipe", "detail": "No data."} for letter in found)


def test_what_sqs_takes_in_no_message_is_left_out_of_why(
    sqs: Any, dead: Callable[[str], tuple[Queues, DeadLetters]]
) -> None:
    queues, letters = dead("SQS")

    queues.send("dead", WakeUp(job="j"), why={"code": "", "detail": "a\x00\ud800\x1b[0m " + "x" * 3000})

    (letter,) = letters.receive(1)
    assert set(letter.why) == {"detail"}
    assert letter.why["detail"].startswith("a\ufffd\ufffd\ufffd[0m xxx")
    assert len(letter.why["detail"]) == 2000


def test_a_dead_letter_that_is_not_about_a_job_stays_where_it_lies(sqs: Any, url: str) -> None:
    sqs.send_message(QueueUrl=url, MessageBody='{"Records":[]}')
    SqsQueues(sqs, {"dead": url}).send("dead", WakeUp(job="j"))

    letters = SqsDeadLetters(sqs, url).receive(10)

    assert [(letter.job, letter.why) for letter in letters] == [("j", {})]
    waiting = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    assert waiting["ApproximateNumberOfMessagesNotVisible"] == "2"
