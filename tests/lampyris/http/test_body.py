"""Bodies that were uploaded before, compressed, or both: the answer is as if the body had come as it is."""

import gzip
import json
import zlib
from itertools import count
from time import perf_counter
from typing import Any

import pytest

from lampyris.domain.layout import upload_key
from lampyris.domain.store import Store
from lampyris.errors import BodyTooLarge, StoreUnavailable
from lampyris.http.body import _PART_BYTES, body_limit_bytes, body_of
from lampyris.http.event import Request

UPLOAD = "0123456789abcdef" * 2
ROWS = json.dumps({"inputs": [[1.0] * 8, [2.0] * 8]})


def test_upload_is_answered_as_the_body_that_it_holds(call: Any, publish_linear: Any, store: Store) -> None:
    publish_linear()
    store.put(upload_key(UPLOAD), ROWS.encode())

    uploaded = call("POST", "/models/glow/predict", query={"upload": UPLOAD})

    sent = call("POST", "/models/glow/predict", ROWS)
    assert uploaded.status == sent.status == 200
    assert uploaded.document == sent.document


def test_headers_of_the_request_say_what_the_upload_holds(
    call: Any, publish_linear: Any, store: Store
) -> None:
    publish_linear()
    store.put(upload_key(UPLOAD), gzip.compress(ROWS.encode()))

    answer = call(
        "POST", "/models/glow/predict", query={"upload": UPLOAD}, headers={"content-encoding": "gzip"}
    )

    assert answer.status == 200
    assert len(answer.document["predictions"]) == 2


def test_upload_may_be_used_again(call: Any, publish_linear: Any, store: Store) -> None:
    publish_linear()
    store.put(upload_key(UPLOAD), ROWS.encode())

    statuses = [call("POST", "/models/glow/predict", query={"upload": UPLOAD}).status for _ in range(2)]

    assert statuses == [200, 200]


def test_unknown_upload_is_not_found(call: Any, publish_linear: Any) -> None:
    publish_linear()

    answer = call("POST", "/models/glow/predict", query={"upload": UPLOAD})

    assert (answer.status, answer.document["code"]) == (404, "upload-not-found")
    assert "POST /uploads" in answer.document["detail"]


@pytest.mark.parametrize("name", ["", "x", UPLOAD.upper(), f"{UPLOAD}0", f"../{UPLOAD}", "../models/glow"])
def test_name_that_no_upload_can_have_is_refused(name: str, call: Any) -> None:
    answer = call("POST", "/models/glow/predict", query={"upload": name})

    assert (answer.status, answer.document["code"]) == (400, "invalid-name")


def test_body_beside_an_upload_is_refused(call: Any, store: Store) -> None:
    store.put(upload_key(UPLOAD), ROWS.encode())

    answer = call("POST", "/models/glow/predict", ROWS, query={"upload": UPLOAD})

    assert (answer.status, answer.document["code"]) == (400, "malformed-request")
    assert "send one of them" in answer.document["detail"]


def test_upload_that_takes_longer_than_the_request_has_is_given_up(store: Store) -> None:
    store.put(upload_key(UPLOAD), bytes(2 * _PART_BYTES + 1))
    seconds = count()
    request = Request(method="POST", path="/", query={"upload": UPLOAD}, deadline_s=1.0)

    with pytest.raises(StoreUnavailable, match="longer than the request has"):
        body_of(request, store, 2**30, lambda: float(next(seconds)))

    assert next(seconds) == 3


def test_upload_over_the_limit_is_refused_unread(store: Store) -> None:
    store.put(upload_key(UPLOAD), bytes(1001))
    request = Request(method="POST", path="/", query={"upload": UPLOAD})

    with pytest.raises(BodyTooLarge, match="1,000 bytes"):
        body_of(request, store, 1000, perf_counter)


@pytest.mark.parametrize(
    ("encoding", "upload"),
    [("gzip", gzip.compress(bytes(1_000_001))), ("deflate", zlib.compress(bytes(1_000_001)))],
)
def test_small_upload_that_unfolds_over_the_limit_is_refused(
    encoding: str, upload: bytes, store: Store
) -> None:
    store.put(upload_key(UPLOAD), upload)
    request = Request(
        method="POST", path="/", query={"upload": UPLOAD}, headers={"content-encoding": encoding}
    )

    with pytest.raises(BodyTooLarge):
        body_of(request, store, 1_000_000, perf_counter)


@pytest.mark.parametrize("size_bytes", [0, 1, _PART_BYTES - 1, _PART_BYTES, 2 * _PART_BYTES + 1])
def test_upload_read_in_parts_is_whole(size_bytes: int, store: Store) -> None:
    data = bytes(range(251)) * (size_bytes // 251 + 1)
    store.put(upload_key(UPLOAD), data[:size_bytes])

    found = body_of(Request(method="POST", path="/", query={"upload": UPLOAD}), store, 2**30, perf_counter)

    assert found.content == data[:size_bytes]


@pytest.mark.parametrize("method", ["GET", "DELETE"])
def test_body_that_nobody_reads_is_not_looked_for(method: str, call: Any) -> None:
    answer = call(method, "/models/glow/predict", "{", query={"upload": UPLOAD})

    assert (answer.status, answer.document["code"]) == (405, "method-not-allowed")


def test_request_with_its_own_plain_body_is_left_as_it_is(store: Store) -> None:
    request = Request(method="POST", path="/", body="{}")

    assert body_of(request, store, 1000, perf_counter) is request


@pytest.mark.parametrize(
    ("memory_mb", "limit_mib"), [(256, 32), (1024, 128), (2048, 256), (10_240, 256)], ids=str
)
def test_limit_follows_the_memory_up_to_256_mib(memory_mb: int, limit_mib: int) -> None:
    assert body_limit_bytes(memory_mb) == limit_mib * 2**20
