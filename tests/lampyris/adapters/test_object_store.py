"""What S3 alone can: addresses that others may use for a while, and versions by way of boto3."""

from pathlib import Path
from typing import Any

import httpx
import pytest

from lampyris.adapters.folder_store import FolderStore
from lampyris.adapters.object_store import ObjectStore, s3_store
from lampyris.errors import StoreUnavailable


def test_store_that_is_not_there_is_unavailable_and_not_empty() -> None:
    nowhere = s3_store("registry", endpoint="http://127.0.0.1:9")

    with pytest.raises(StoreUnavailable, match="get key"):
        nowhere.get("key")
    with pytest.raises(StoreUnavailable, match="list a/"):
        list(nowhere.list("a/"))
    with pytest.raises(StoreUnavailable, match="list versions of a/"):
        list(nowhere.generations("a/"))


@pytest.mark.parametrize("write", ["put", "create"])
def test_object_comes_over_http_with_its_headers(s3: ObjectStore, write: str) -> None:
    getattr(s3, write)("answer", b"\x1f\x8b", {"content-type": "text/csv", "content-encoding": "gzip"})

    with httpx.stream("GET", s3.presign("GET", "answer", 60)) as response:
        received = b"".join(response.iter_raw())

    assert received == b"\x1f\x8b"
    assert (response.headers["content-type"], response.headers["content-encoding"]) == ("text/csv", "gzip")


def test_object_is_written_over_http_where_a_signed_address_says(s3: ObjectStore) -> None:
    httpx.put(s3.presign("PUT", "upload", 60), content=b"body").raise_for_status()

    assert s3.get("upload").data == b"body"


def test_signed_address_says_who_may_do_what_for_how_long(s3: ObjectStore, bucket: str) -> None:
    url = httpx.URL(s3.presign("PUT", "uploads/a b", 900))

    assert url.path == f"/{bucket}/uploads/a b"
    assert url.params["X-Amz-Expires"] == "900"
    assert url.params["X-Amz-Credential"].startswith("test/")
    assert "X-Amz-Signature" in url.params


def test_objects_at_keys_that_are_no_paths_hide_no_others(s3: ObjectStore, client: Any, bucket: str) -> None:
    for key in ("inbox/a/1", "inbox//x", "inbox/a/../2", "inbox/b/./4", "inbox/b//", "inbox/c/3"):
        client.put_object(Bucket=bucket, Key=key, Body=b"1")

    assert [entry.key for entry in s3.list("inbox/")] == ["inbox/a/1", "inbox/c/3"]
    assert [entry.key for entry in s3.list("inbox/", after="inbox/a/1")] == ["inbox/c/3"]
    assert list(s3.list_folders("inbox/")) == ["a", "b", "c"]
    assert list(s3.list_folders("")) == ["inbox"]

    s3.purge(s3.generations("inbox/"))

    assert "Versions" not in client.list_object_versions(Bucket=bucket)


def test_folder_that_the_console_made_is_not_listed_below_itself(
    s3: ObjectStore, client: Any, bucket: str
) -> None:
    client.put_object(Bucket=bucket, Key="inbox/", Body=b"")
    s3.put("inbox/a", b"1")

    assert [entry.key for entry in s3.list("inbox/")] == ["inbox/a"]


def test_folder_copied_to_a_bucket_as_it_is_holds_the_same(
    s3: ObjectStore, client: Any, bucket: str, tmp_path: Path
) -> None:
    folder = FolderStore(tmp_path)
    for key in ("models/iris/versions/1.json", "models/a b#/ü.json", "blobs/sha256/00"):
        folder.put(key, key.encode())
    for path in tmp_path.rglob("*"):
        if path.is_file():
            client.upload_file(str(path), bucket, str(path.relative_to(tmp_path)))

    copied = {entry.key: s3.get(entry.key).data for entry in s3.list("")}

    assert copied == {entry.key: folder.get(entry.key).data for entry in folder.list("")}
    assert list(s3.list_folders("")) == list(folder.list_folders("")) == ["blobs", "models"]


def test_signed_address_asks_for_no_checksum(s3: ObjectStore) -> None:
    assert "checksum" not in s3.presign("PUT", "uploads/x", 60).lower()
