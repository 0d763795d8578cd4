import getpass
import socket
from collections.abc import Iterator

import pytest
from moto.server import ThreadedMotoServer

from lampyris.adapters.object_store import memory_store
from lampyris_local.caller import caller_of
from lampyris_local.deployment import AwsUnavailable, Deployment


@pytest.fixture(scope="module")
def moto() -> Iterator[str]:
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def on_aws() -> Deployment:
    return Deployment(
        store=memory_store(),
        api_url="https://abc.execute-api.eu-central-1.amazonaws.com",
        open_bucket=lambda _: memory_store(),
        sign=lambda request: request,
    )


def test_caller_of_a_folder_is_the_user_of_this_machine() -> None:
    deployment = Deployment(store=memory_store(), api_url=None, open_bucket=lambda _: memory_store())

    caller = caller_of(deployment, profile=None, region=None)

    assert caller == f"{getpass.getuser()}@{socket.gethostname()}"


def test_caller_on_aws_is_whom_aws_knows(
    on_aws: Deployment, moto: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", moto)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIATEST")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")

    caller = caller_of(on_aws, profile=None, region="eu-central-1")

    assert caller.startswith("arn:aws:sts::")


def test_caller_without_credentials_is_told_what_to_do(
    on_aws: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent")

    with pytest.raises(AwsUnavailable, match="aws configure"):
        caller_of(on_aws, profile=None, region="eu-central-1")
