"""Many at once, on a bucket in memory and on S3: all that was asked for is done once, and nothing is torn."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto.server import ThreadedMotoServer

from lampyris.adapters.memory_store import MemoryStore
from lampyris.adapters.object_store import s3_store
from lampyris.domain.layout import RESERVATIONS, Upload
from lampyris.domain.manifest import Alias, Manifest
from lampyris.domain.signature import Signature, TensorSpec
from lampyris.domain.store import Store
from lampyris.publishing.admission import admit
from lampyris.publishing.confinement import Accepted
from lampyris.registry.documents import find_version, list_versions, read_alias
from lampyris.serving.fetch import GRAPH_FILE

PUBLISHERS = 64
PROMOTERS = 32
TENSOR = TensorSpec(name="x", datatype="FP32", shape=(-1, 4))
SIGNATURE = Signature(inputs=(TENSOR,), outputs=(TENSOR,))


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    _, port = server.get_host_and_port()
    endpoint = f"http://127.0.0.1:{port}"
    client = boto3.client("s3", endpoint_url=endpoint, region_name="us-east-1")
    client.create_bucket(Bucket="crowd")
    client.close()
    yield s3_store("crowd", endpoint=endpoint, timeout_s=60)
    server.stop()


@pytest.fixture
def memory() -> Store:
    return MemoryStore()


@pytest.fixture
def bucket(request: pytest.FixtureRequest) -> Store:
    found: Store = request.getfixturevalue(request.param)
    return found


def all_at_once(times: int, run: Callable[[int], Any]) -> list[Any]:
    start = threading.Barrier(times)

    def race(number: int) -> Any:
        start.wait()
        return run(number)

    with ThreadPoolExecutor(times) as pool:
        return list(pool.map(race, range(times)))


def accept(folder: Path) -> Accepted:
    (folder / GRAPH_FILE).write_bytes((folder / "model.onnx").read_bytes())
    return Accepted(signature=SIGNATURE, onnxruntime="1.31.1", tunable=False)


@pytest.mark.parametrize("bucket", ["memory", pytest.param("s3", marks=pytest.mark.slow)], indirect=True)
def test_64_uploads_at_once_make_64_versions_and_the_newest_is_live(bucket: Store, checks: Any) -> None:
    uploads = [Upload(model="iris", upload=f"u{number}", file="model.onnx") for number in range(PUBLISHERS)]
    for upload in uploads:
        bucket.put(upload.key, upload.upload.encode())

    def publish(number: int) -> Any:
        return admit(
            uploads[number],
            bucket,
            by="ann",
            limit_bytes=1_000_000,
            trial=accept,
            clock=lambda: datetime.now(UTC),
        )

    made = all_at_once(PUBLISHERS, publish)

    assert all(isinstance(manifest, Manifest) for manifest in made)
    assert sorted(manifest.version for manifest in made) == list(range(1, PUBLISHERS + 1))
    assert list_versions(bucket, "iris") == list(range(1, PUBLISHERS + 1))
    documents = [find_version(bucket, "iris", version) for version in list_versions(bucket, "iris")]
    assert {document.upload for document in documents} == {upload.upload for upload in uploads}
    alias = read_alias(bucket, "iris", "live")[0]
    assert (alias.stable.version, alias.newest_published) == (PUBLISHERS, PUBLISHERS)
    assert list(bucket.list(RESERVATIONS)) == []
    checks.all_settled(bucket)


@pytest.mark.parametrize("bucket", ["memory", "s3"], indirect=True)
def test_32_promotes_of_one_alias_at_once_come_one_after_the_other(
    bucket: Store, registry_of: Any, checks: Any
) -> None:
    registry = registry_of(bucket)
    for upload in ("u1", "u2", "u3"):
        registry.commit(upload)
    registry.set({1: 100})

    def promote(number: int) -> Alias:
        moved: Alias = registry_of(bucket).promote(2 + number % 2)
        return moved

    made = all_at_once(PROMOTERS, promote)

    entries = checks.audit(bucket)
    revisions = [entry.details["revision"] for entry in entries if entry.subject == "alias live"]
    assert sorted(revisions) == list(range(1, registry.alias().revision + 1))
    assert {alias.revision for alias in made} <= set(revisions)
    assert all(made[number].stable.version == 2 + number % 2 for number in range(PROMOTERS))
    checks.all_settled(bucket)
