import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

from lampyris_local.cloud.local_cloud import LocalCloud
from lampyris_local.cloud.reports import LogLine

TOYS = Path(__file__).parent / "toys"
LIMIT_S = 30.0

Client = Callable[..., Any]
WaitUntil = Callable[[Callable[[], Any]], Any]


@pytest.fixture(scope="session")
def toy_template() -> Path:
    return TOYS / "template.yaml"


@pytest.fixture(scope="session")
def small_template() -> Path:
    return TOYS / "small.yaml"


@pytest.fixture(scope="session")
def jobs_template() -> Path:
    return TOYS / "jobs.yaml"


@pytest.fixture(scope="session")
def client() -> Client:
    """Make a client of AWS's for a service of a local cloud, at the cloud's endpoint or another."""

    def client(cloud: LocalCloud, service: str, endpoint_url: str | None = None) -> Any:
        return boto3.client(
            service,
            endpoint_url=endpoint_url or cloud.endpoint_url,
            region_name=cloud.region,
            aws_access_key_id="test",
            aws_secret_access_key="test",
        )

    return client


@pytest.fixture(scope="session")
def wait_until() -> WaitUntil:
    """Wait for something to be true, and return it."""

    def wait_until(done: Callable[[], Any]) -> Any:
        ends = time.monotonic() + LIMIT_S
        while not (found := done()):
            assert time.monotonic() < ends, "it did not come to pass"
            time.sleep(0.05)
        return found

    return wait_until


@pytest.fixture(scope="module")
def records(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the functions and nodes of jobs.yaml note what they were told."""
    return tmp_path_factory.mktemp("records")


@pytest.fixture(scope="session")
def lines() -> list[LogLine]:
    """Every line that the toys' log has so far."""
    return []


@pytest.fixture(scope="session")
def notes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the function Work notes its messages."""
    return tmp_path_factory.mktemp("notes")


@pytest.fixture(scope="session")
def cloud(toy_template: Path, notes: Path, lines: list[LogLine]) -> Iterator[LocalCloud]:
    """A local cloud that runs the toys."""
    with LocalCloud(toy_template, parameters={"Notes": str(notes)}, on_line=lines.append) as cloud:
        yield cloud
