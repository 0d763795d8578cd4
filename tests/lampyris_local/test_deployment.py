import json
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import boto3
import httpx
import pytest
from moto.server import ThreadedMotoServer

from lampyris_local.deployment import (
    AwsUnavailable,
    NothingListens,
    NotLampyris,
    StackNotFound,
    find_deployment,
)

STACK = {
    "Resources": {"Bucket": {"Type": "AWS::S3::Bucket", "Properties": {"BucketName": "stack-registry"}}},
    "Outputs": {
        "Api": {"Value": "https://abc.execute-api.eu-central-1.amazonaws.com"},
        "Bucket": {"Value": {"Ref": "Bucket"}},
    },
}
TOPIC = {"Type": "AWS::SNS::Topic"}


@pytest.fixture(scope="module")
def moto() -> Iterator[str]:
    """What stands in for AWS, with the stacks `lampyris` and `website` in eu-central-1."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    url = f"http://{host}:{port}"
    cloudformation = boto3.client(
        "cloudformation",
        endpoint_url=url,
        region_name="eu-central-1",
        aws_access_key_id="AKIATEST",
        aws_secret_access_key="secret",
    )
    cloudformation.create_stack(StackName="lampyris", TemplateBody=json.dumps(STACK))
    cloudformation.create_stack(StackName="website", TemplateBody=json.dumps({"Resources": {"Topic": TOPIC}}))
    yield url
    for name in ("lampyris", "website"):
        cloudformation.delete_stack(StackName=name)
    server.stop()


@pytest.fixture
def aws(moto: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> str:
    """An AWS account in the environment that the usual tools read: its address."""
    for name in ("AWS_PROFILE", "AWS_REGION", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("AWS_ENDPOINT_URL", moto)
    monkeypatch.setenv("AWS_ALLOW_HTTP", "true")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIATEST")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    return moto


class Answering(BaseHTTPRequestHandler):
    body = b""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("content-length", str(len(self.body)))
        self.end_headers()
        self.wfile.write(self.body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class names it
        pass


@pytest.fixture
def stranger() -> Iterator[str]:
    """A web server that is no local cloud."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Answering)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_endpoint_where_nothing_listens_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]

    with pytest.raises(NothingListens, match=f"127.0.0.1:{port}.*lampyris local"):
        find_deployment(endpoint=f"http://127.0.0.1:{port}")


@pytest.mark.parametrize("endpoint", ["localhost:8080", "http://[1", "http://.."])
def test_endpoint_that_is_no_address_is_refused_like_one_where_nothing_listens(endpoint: str) -> None:
    with pytest.raises(NothingListens):
        find_deployment(endpoint=endpoint)


def test_endpoint_of_something_else_is_told_apart(stranger: str) -> None:
    with pytest.raises(NotLampyris, match="not a local cloud"):
        find_deployment(endpoint=stranger)


def test_stack_gives_bucket_and_api(aws: str) -> None:
    deployment = find_deployment(endpoint=None)

    deployment.store.put("models/x", b"1")
    stored = boto3.client("s3").get_object(Bucket="stack-registry", Key="models/x")["Body"].read()
    assert (stored, deployment.api_url) == (b"1", "https://abc.execute-api.eu-central-1.amazonaws.com")


def test_versions_in_the_stacks_bucket_are_listed_and_purged_with_the_same_credentials(aws: str) -> None:
    store = find_deployment(endpoint=None).store
    store.put("models/x", b"1")

    store.purge(store.generations("models/"))

    assert list(store.generations("models/")) == []
    assert list(store.list("models/")) == []


def test_requests_to_aws_are_signed_for_the_api(aws: str) -> None:
    request = httpx.Request(
        "POST", "https://abc.execute-api.eu-central-1.amazonaws.com/models/m/predict", content=b"{}"
    )

    sign = find_deployment(endpoint=None).sign
    assert sign is not None
    headers = sign(request).headers

    assert headers["authorization"].startswith("AWS4-HMAC-SHA256 Credential=AKIATEST/")
    assert "/eu-central-1/execute-api/aws4_request" in headers["authorization"]
    assert "host;x-amz-date" in headers["authorization"]


def test_missing_stack_is_named_with_its_region(aws: str) -> None:
    with pytest.raises(StackNotFound, match=r"'absent' in eu-central-1"):
        find_deployment(endpoint=None, stack="absent")


def test_stack_of_something_else_is_not_taken(aws: str) -> None:
    with pytest.raises(StackNotFound, match="website"):
        find_deployment(endpoint=None, stack="website")


def test_missing_credentials_are_told(aws: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")

    with pytest.raises(AwsUnavailable, match="no credentials"):
        find_deployment(endpoint=None)


def test_missing_region_is_told(aws: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_DEFAULT_REGION")

    with pytest.raises(AwsUnavailable, match="region"):
        find_deployment(endpoint=None)


def test_unknown_profile_is_told(aws: str) -> None:
    with pytest.raises(AwsUnavailable, match="nobody"):
        find_deployment(endpoint=None, profile="nobody")
