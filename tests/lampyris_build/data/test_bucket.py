from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto.server import ThreadedMotoServer

from lampyris_build.data.bucket import find
from lampyris_build.data.fetch import local_path
from lampyris_build.errors import DatasetMissing, InvalidRecipe


@pytest.fixture(scope="module")
def moto() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def s3(moto: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A client of the bucket `data`, and an environment in which a build finds it."""
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", moto)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    client = boto3.client("s3", endpoint_url=moto)
    client.create_bucket(Bucket="data")
    return client


def test_object_is_fetched_and_keeps_its_name(s3: Any) -> None:
    s3.put_object(Bucket="data", Key="sets/rows.csv", Body=b"a,b\n1,2\n")
    s3.put_object(Bucket="data", Key="sets/rows.cst", Body=b"its neighbour")
    s3.put_object(Bucket="data", Key="rows.csv", Body=b"at the top")

    assert local_path("s3://data/sets/rows.csv", None).read_bytes() == b"a,b\n1,2\n"
    assert local_path("s3://data/sets/rows.csv", None).name == "rows.csv"
    assert local_path("s3://data/rows.csv", None).read_bytes() == b"at the top"


def test_object_that_was_written_anew_is_fetched_anew(s3: Any) -> None:
    s3.put_object(Bucket="data", Key="x.csv", Body=b"before")
    before = local_path("s3://data/x.csv", None)

    s3.put_object(Bucket="data", Key="x.csv", Body=b"afterwards")

    assert local_path("s3://data/x.csv", None).read_bytes() == b"afterwards"
    assert before.read_bytes() == b"before"


def test_all_that_stands_below_a_key_is_a_folder(s3: Any) -> None:
    for name in ("cats/a.png", "cats/b.png", "dogs/a.png"):
        s3.put_object(Bucket="data", Key=f"pets/{name}", Body=name.encode())
    s3.put_object(Bucket="data", Key="pets2/other.png", Body=b"another folder")

    folder = local_path("s3://data/pets/", None)

    assert folder.name == "pets"
    files = {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*.png")}
    assert files == {name: name.encode() for name in ("cats/a.png", "cats/b.png", "dogs/a.png")}


def test_large_object_comes_whole(s3: Any) -> None:
    body = bytes(range(256)) * 70_000
    s3.put_object(Bucket="data", Key="large.bin", Body=body)

    assert local_path("s3://data/large.bin", None).read_bytes() == body


def test_object_that_is_overwritten_while_it_is_read_is_not_mixed(s3: Any) -> None:
    size = 9 * 1024**2  # more than one block
    s3.put_object(Bucket="data", Key="large.bin", Body=bytes(size))
    found = find("s3://data/large.bin")
    blocks = found.read(found.entries[0])
    next(blocks)

    s3.put_object(Bucket="data", Key="large.bin", Body=b"1" * size)

    with pytest.raises(DatasetMissing, match="overwritten while it was read"):
        next(blocks)


def test_what_is_not_there_is_told(s3: Any) -> None:
    with pytest.raises(DatasetMissing, match="no such object, and none below it"):
        local_path("s3://data/nowhere/rows.csv", None)
    with pytest.raises(DatasetMissing, match="the bucket cannot be read"):
        local_path("s3://no-such-bucket/rows.csv", None)


@pytest.mark.parametrize("path", ["s3://data", "s3://data/", "s3:///key", "s3://data/a//b", "s3://data/../b"])
def test_address_that_names_no_object_is_told(s3: Any, path: str) -> None:
    with pytest.raises(InvalidRecipe, match=r"dataset\.path is s3://"):
        local_path(path, None)
