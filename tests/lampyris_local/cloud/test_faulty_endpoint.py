import os
import urllib.request
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from lampyris_local.cloud.endpoint import MotoEndpoint
from lampyris_local.cloud.faulty_endpoint import FaultyEndpoint, Verdict
from lampyris_local.cloud.loop_thread import LoopThread


class Environment:
    """Does to its next calls what it is told to, and remembers them."""

    def __init__(self) -> None:
        self.verdict: Verdict = "pass"
        self.called: list[str] = []
        self.died: list[str] = []

    def calls(self, call: str) -> Verdict:
        self.called.append(call)
        return self.verdict

    def die(self, call: str, verdict: Verdict) -> None:
        self.died.append(f"{verdict} {call}")


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    with MotoEndpoint() as moto:
        yield moto.url


@pytest.fixture
def environment() -> Environment:
    return Environment()


@pytest.fixture
def url(endpoint: str, environment: Environment) -> Iterator[str]:
    with LoopThread() as loop:
        faulty = FaultyEndpoint(endpoint, {"known": environment})
        loop.run(faulty.start())
        yield faulty.url
        loop.run(faulty.stop())


def client(url: str, service: str, access_key: str = "known") -> Any:
    return boto3.client(
        service,
        endpoint_url=url,
        region_name="us-east-1",
        aws_access_key_id=access_key,
        aws_secret_access_key="test",
        config=Config(retries={"total_max_attempts": 1}, s3={"addressing_style": "path"}),
    )


@pytest.fixture
def s3(url: str) -> Any:
    s3 = client(url, "s3")
    s3.create_bucket(Bucket="things")
    return s3


def keys(endpoint: str, prefix: str) -> list[str]:
    """The keys that are there, asked past the proxy."""
    listing = client(endpoint, "s3").list_objects_v2(Bucket="things", Prefix=prefix)
    return [found["Key"] for found in listing.get("Contents", [])]


def test_calls_pass_both_ways_whole(s3: Any, environment: Environment) -> None:
    body = os.urandom(3 * 1024 * 1024)
    s3.put_object(Bucket="things", Key="a b/c+d.bin", Body=body, Metadata={"what": "random"})

    head = s3.head_object(Bucket="things", Key="a b/c+d.bin")
    part = s3.get_object(Bucket="things", Key="a b/c+d.bin", Range="bytes=10-19")
    whole = s3.get_object(Bucket="things", Key="a b/c+d.bin")["Body"].read()

    assert (head["ContentLength"], head["Metadata"]) == (len(body), {"what": "random"})
    assert part["Body"].read() == body[10:20]
    assert whole == body
    assert "s3 PUT /things/a b/c+d.bin" in environment.called


def test_presigned_address_passes_whatever_befalls_its_maker(s3: Any, environment: Environment) -> None:
    address = s3.generate_presigned_url("put_object", Params={"Bucket": "things", "Key": "signed"})
    environment.verdict = "throttle"

    with urllib.request.urlopen(urllib.request.Request(address, data=b"x", method="PUT")) as answer:
        status = answer.status

    assert status == 200


@pytest.mark.parametrize(
    ("service", "operation", "arguments", "code"),
    [
        ("s3", "get_object", {"Bucket": "things", "Key": "x"}, "SlowDown"),
        ("s3", "put_object", {"Bucket": "things", "Key": "x", "Body": bytes(2_000_000)}, "SlowDown"),
        ("s3", "head_object", {"Bucket": "things", "Key": "x"}, "503"),
        ("dynamodb", "list_tables", {}, "ProvisionedThroughputExceededException"),
        ("sqs", "list_queues", {}, "RequestThrottled"),
        ("events", "list_event_buses", {}, "ThrottlingException"),
    ],
)
def test_throttled_call_is_refused_in_the_words_of_its_service(
    url: str, environment: Environment, service: str, operation: str, arguments: dict[str, Any], code: str
) -> None:
    environment.verdict = "throttle"

    with pytest.raises(ClientError) as refusal:
        getattr(client(url, service), operation)(**arguments)

    assert refusal.value.response["Error"]["Code"] == code


def test_call_before_which_its_caller_dies_has_no_effect(
    endpoint: str, s3: Any, environment: Environment
) -> None:
    environment.verdict = "kill before"

    with pytest.raises((ClientError, BotoCoreError)):
        s3.put_object(Bucket="things", Key="before", Body=b"x")

    assert keys(endpoint, "before") == []
    assert environment.died == ["kill before s3 PUT /things/before"]


def test_call_after_which_its_caller_dies_has_its_effect(
    endpoint: str, s3: Any, environment: Environment
) -> None:
    environment.verdict = "kill after"

    with pytest.raises((ClientError, BotoCoreError)):
        s3.put_object(Bucket="things", Key="after", Body=b"x")

    assert keys(endpoint, "after") == ["after"]
    assert environment.died == ["kill after s3 PUT /things/after"]


def test_who_is_not_known_is_left_alone(url: str, environment: Environment) -> None:
    environment.verdict = "throttle"

    answer = client(url, "s3", access_key="someone").list_buckets()

    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 200
