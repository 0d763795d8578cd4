"""What Lampyris needs of a bucket, held against every adapter: memory, and S3 as moto serves it."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import httpx
import pytest
from moto.server import ThreadedMotoServer

from lampyris.adapters.object_store import ObjectStore, memory_store, s3_store
from lampyris.domain.store import Store
from lampyris.errors import ObjectChanged, ObjectExists, ObjectNotFound, StoreUnavailable

REGION = "eu-central-1"


@pytest.fixture(scope="session")
def endpoint() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def s3(endpoint: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[ObjectStore]:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setenv("AWS_REGION", REGION)
    bucket: Any = boto3.resource("s3", endpoint_url=endpoint, region_name=REGION).Bucket("registry")
    bucket.create(CreateBucketConfiguration={"LocationConstraint": REGION})
    yield s3_store("registry", endpoint=endpoint)
    bucket.objects.delete()
    bucket.delete()


@pytest.fixture(params=["memory", "s3"])
def store(request: pytest.FixtureRequest) -> Store:
    if request.param == "memory":
        return memory_store()
    found: Store = request.getfixturevalue("s3")
    return found


def test_object_is_read_as_it_was_written(store: Store) -> None:
    store.put("a/key", b"\x00\xff bytes")

    assert store.get("a/key").data == b"\x00\xff bytes"
    assert store.size_bytes("a/key") == 8


def test_empty_object_is_an_object(store: Store) -> None:
    store.put("empty", b"")

    assert store.get("empty").data == b""
    assert store.size_bytes("empty") == 0


def test_key_may_hold_spaces_and_other_letters(store: Store) -> None:
    store.put("inbox/iris/u1/Mein Modell (2)+ä%20.onnx", b"x")

    assert store.get("inbox/iris/u1/Mein Modell (2)+ä%20.onnx").data == b"x"
    assert [entry.key for entry in store.list("inbox/iris/")] == ["inbox/iris/u1/Mein Modell (2)+ä%20.onnx"]


def test_put_writes_over_what_stood_there(store: Store) -> None:
    store.put("key", b"one")
    store.put("key", b"two")

    assert store.get("key").data == b"two"


def test_file_larger_than_a_part_arrives_whole(store: Store, tmp_path: Path) -> None:
    data = bytes(range(256)) * (11 * 4096)
    file = tmp_path / "weights.bin"
    file.write_bytes(data)

    store.put("weights", file)

    assert store.size_bytes("weights") == len(data)
    assert store.get("weights").data == data


def test_missing_object_is_not_found_by_any_way_of_reading(store: Store) -> None:
    with pytest.raises(ObjectNotFound):
        store.get("nothing")
    with pytest.raises(ObjectNotFound):
        store.get_if_changed("nothing", '"etag"')
    with pytest.raises(ObjectNotFound):
        store.get_range("nothing", 0, 1)
    with pytest.raises(ObjectNotFound):
        store.size_bytes("nothing")


def test_range_is_the_bytes_from_an_offset(store: Store) -> None:
    store.put("key", b"0123456789")

    assert bytes(store.get_range("key", 3, 4)) == b"3456"
    assert bytes(store.get_range("key", 9, 1)) == b"9"


def test_unchanged_object_is_not_read_again(store: Store) -> None:
    store.put("key", b"one")
    etag = store.get("key").etag

    assert store.get_if_changed("key", etag) is None


def test_changed_object_is_read_again(store: Store) -> None:
    store.put("key", b"one")
    etag = store.get("key").etag
    store.put("key", b"two")

    changed = store.get_if_changed("key", etag)

    assert changed is not None
    assert changed.data == b"two"
    assert changed.etag == store.get("key").etag != etag


def test_create_writes_where_nothing_stands(store: Store) -> None:
    store.create("key", b"first")

    assert store.get("key").data == b"first"


def test_create_leaves_what_stands_there(store: Store) -> None:
    store.create("key", b"first")

    with pytest.raises(ObjectExists):
        store.create("key", b"second")
    assert store.get("key").data == b"first"


def test_replace_writes_over_the_object_as_it_was_read(store: Store) -> None:
    store.put("key", b"one")

    store.replace("key", b"two", store.get("key").etag)

    assert store.get("key").data == b"two"


def test_replace_leaves_an_object_that_changed(store: Store) -> None:
    store.put("key", b"one")
    etag = store.get("key").etag
    store.put("key", b"two")

    with pytest.raises(ObjectChanged):
        store.replace("key", b"three", etag)
    assert store.get("key").data == b"two"


def test_replace_of_nothing_writes_nothing(store: Store) -> None:
    with pytest.raises(ObjectChanged):
        store.replace("key", b"one", '"etag"')
    with pytest.raises(ObjectNotFound):
        store.get("key")


def test_listing_is_in_key_order_and_keeps_to_its_prefix(store: Store) -> None:
    for key in ("models/b/2", "models/b/10", "models/b/1", "models/bb/1", "models/a/1"):
        store.put(key, b"x")

    assert [entry.key for entry in store.list("models/b/")] == ["models/b/1", "models/b/10", "models/b/2"]
    assert list(store.list("models/c/")) == []


def test_listing_of_more_than_a_page_is_whole(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MOTO_S3_DEFAULT_MAX_KEYS", "10")  # S3's own pages hold 1,000
    keys = [f"many/{number:02}" for number in range(25)]
    for key in keys:
        store.put(key, b"")

    assert [entry.key for entry in store.list("many/")] == keys


def test_listing_tells_size_and_time(store: Store) -> None:
    before = datetime.now(UTC) - timedelta(seconds=2)
    store.put("a/key", b"12345")

    (entry,) = store.list("a/")

    assert entry.size_bytes == 5
    assert before <= entry.modified_at <= datetime.now(UTC) + timedelta(seconds=2)


def test_later_object_is_never_listed_as_older(store: Store) -> None:
    store.put("a/first", b"")
    store.put("b/second", b"")

    (first,) = store.list("a/")
    (second,) = store.list("b/")

    assert first.modified_at <= second.modified_at


def test_store_that_refuses_is_unavailable_and_not_empty(s3: ObjectStore, endpoint: str) -> None:
    nowhere = s3_store("registry", endpoint=endpoint.rpartition(":")[0] + ":9")

    with pytest.raises(StoreUnavailable, match="get key"):
        nowhere.get("key")
    with pytest.raises(StoreUnavailable, match="list a/"):
        list(nowhere.list("a/"))


def test_object_comes_over_http_with_its_headers(s3: ObjectStore) -> None:
    s3.put("answer", b"\x1f\x8b", {"content-type": "text/csv", "content-encoding": "gzip"})

    with httpx.stream("GET", s3.presign("GET", "answer", 60)) as response:
        received = b"".join(response.iter_raw())

    assert received == b"\x1f\x8b"
    assert (response.headers["content-type"], response.headers["content-encoding"]) == ("text/csv", "gzip")


def test_object_is_written_over_http_where_a_signed_address_says(s3: ObjectStore) -> None:
    httpx.put(s3.presign("PUT", "upload", 60), content=b"body").raise_for_status()

    assert s3.get("upload").data == b"body"


def test_signed_address_says_who_may_do_what_for_how_long(s3: ObjectStore) -> None:
    url = httpx.URL(s3.presign("PUT", "uploads/a b", 900))

    assert url.path == "/registry/uploads/a b"
    assert url.params["X-Amz-Expires"] == "900"
    assert url.params["X-Amz-Credential"].startswith("test/")
    assert "X-Amz-Signature" in url.params


def test_address_of_an_object_in_memory_names_its_key() -> None:
    assert memory_store().presign("GET", "answers/1", 60) == "memory:///answers/1"
