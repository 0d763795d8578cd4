"""What S3 alone can: addresses that others may use for a while, and versions by way of boto3."""

import httpx
import pytest

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


def test_object_comes_over_http_with_its_headers(s3: ObjectStore) -> None:
    s3.put("answer", b"\x1f\x8b", {"content-type": "text/csv", "content-encoding": "gzip"})

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
