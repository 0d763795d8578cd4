"""What becomes of a call when S3 answers as moto does not: races, throttling, answers that are lost or late.

Where an answer is lost, the call may have taken effect. Then it ends in StoreUnavailable, or, where the
store's client asked again and met its own writing, in what a writing by somebody else ends in.
"""

from collections.abc import Callable
from itertools import product
from typing import Any

import pytest

from lampyris.domain.store import Store
from lampyris.errors import LampyrisError, ObjectChanged, ObjectExists, StoreUnavailable

Call = Callable[[Store], object]
READS: dict[str, Call] = {
    "get": lambda store: store.get("a/key").data,
    "get_if_changed": lambda store: store.get_if_changed("a/key", '"other"'),
    "get_range": lambda store: bytes(store.get_range("a/key", 0, 3)),
    "list": lambda store: list(store.list("a/")),
    "list_folders": lambda store: store.list_folders(""),
    "generations": lambda store: list(store.generations("a/")),
}
WRITES: dict[str, tuple[str, Call]] = {
    "put": ("PUT", lambda store: store.put("a/key", b"new")),
    "create": ("PUT", lambda store: store.create("a/new", b"new")),
    "replace": ("PUT", lambda store: store.replace("a/key", b"new", store.get("a/key").etag)),
    "delete": ("POST", lambda store: store.delete("a/key")),
    "purge": ("POST", lambda store: store.purge(list(store.generations("a/")))),
}
DONE: dict[str, dict[str, bytes]] = {
    "put": {"a/key": b"new"},
    "create": {"a/key": b"old", "a/new": b"new"},
    "replace": {"a/key": b"new"},
    "delete": {},
    "purge": {},
}


@pytest.fixture
def old(faulty: Any) -> Store:
    """A bucket with one object; whatever else happens to requests is still to come."""
    store: Store = faulty
    store.put("a/key", b"old")
    return store


def standing(store: Store) -> dict[str, bytes]:
    return {entry.key: store.get(entry.key).data for entry in store.list("a/")}


@pytest.mark.parametrize("kind", ["slow down", "unreachable"])
@pytest.mark.parametrize("read", READS)
def test_reading_goes_on_when_it_failed_once(old: Store, weather: Any, read: str, kind: str) -> None:
    expected = READS[read](old)
    weather.fail(kind, "GET")

    assert READS[read](old) == expected


@pytest.mark.parametrize("write", WRITES)
def test_writing_goes_on_when_it_was_told_to_slow_down(old: Store, weather: Any, write: str) -> None:
    method, call = WRITES[write]
    weather.fail("slow down", method, times=2)

    call(old)

    assert standing(old) == DONE[write]


@pytest.mark.parametrize("call", [*READS.values(), *(call for _, call in WRITES.values())])
def test_store_that_refuses_is_unavailable_and_not_empty(old: Store, weather: Any, call: Call) -> None:
    for method in ("GET", "PUT", "POST"):
        weather.fail("denied", method, times=100)

    with pytest.raises(StoreUnavailable, match=r"AccessDenied|403"):
        call(old)


@pytest.mark.parametrize("write", WRITES)
def test_write_that_never_arrived_is_told_and_has_no_effect(old: Store, weather: Any, write: str) -> None:
    method, call = WRITES[write]
    weather.fail("unreachable", method, times=100)

    with pytest.raises(StoreUnavailable):
        call(old)

    assert standing(old) == {"a/key": b"old"}


@pytest.mark.parametrize(
    ("write", "kind"), [*product(["put", "delete", "purge"], ["lost", "broken after"]), ("put", "late")]
)
def test_write_that_may_be_repeated_is_made_again_when_its_answer_was_lost(
    old: Store, weather: Any, write: str, kind: str
) -> None:
    method, call = WRITES[write]
    weather.fail(kind, method)

    call(old)

    assert standing(old) == DONE[write]


@pytest.mark.parametrize("write", ["create", "replace", "delete"])
def test_write_that_may_not_be_repeated_is_not_made_again_when_its_answer_is_late(
    old: Store, weather: Any, write: str
) -> None:
    method, call = WRITES[write]
    weather.fail("late", method)

    with pytest.raises(StoreUnavailable):
        call(old)

    assert standing(old) == DONE[write]


@pytest.mark.parametrize("kind", ["lost", "broken after"])
@pytest.mark.parametrize("write", ["create", "replace"])
def test_conditional_write_that_is_made_again_meets_itself(
    old: Store, weather: Any, write: str, kind: str
) -> None:
    weather.fail(kind, "PUT")

    with pytest.raises((ObjectExists, ObjectChanged)):
        WRITES[write][1](old)

    assert standing(old) == DONE[write]


def test_create_in_conflict_with_another_is_refused_and_writes_nothing(old: Store, weather: Any) -> None:
    weather.fail("conflict", "PUT")

    with pytest.raises(ObjectExists):
        old.create("a/new", b"new")

    assert standing(old) == {"a/key": b"old"}


def test_replace_in_conflict_with_another_is_made_again(old: Store, weather: Any) -> None:
    weather.fail("conflict", "PUT", times=2)

    old.replace("a/key", b"new", old.get("a/key").etag)

    assert standing(old) == {"a/key": b"new"}


def test_replace_in_conflict_for_long_is_refused_and_writes_nothing(old: Store, weather: Any) -> None:
    weather.fail("conflict", "PUT", times=100)

    with pytest.raises(ObjectChanged):
        old.replace("a/key", b"new", old.get("a/key").etag)

    assert standing(old) == {"a/key": b"old"}


@pytest.mark.parametrize("write", ["put", "create", "replace"])
def test_body_that_changed_on_the_way_is_refused_and_not_stored(old: Store, weather: Any, write: str) -> None:
    weather.fail("flipped", "PUT", times=100)

    with pytest.raises(StoreUnavailable, match="BadDigest"):
        WRITES[write][1](old)

    assert standing(old) == {"a/key": b"old"}


def test_part_of_a_large_file_that_changed_on_the_way_is_refused(
    old: Store, weather: Any, tmp_path: Any
) -> None:
    file = tmp_path / "weights.bin"
    file.write_bytes(bytes(11 << 20))
    weather.fail("flipped", "PUT")

    with pytest.raises(StoreUnavailable, match="BadDigest"):
        old.put("a/large", file)

    assert standing(old) == {"a/key": b"old"}


def test_writes_carry_a_checksum_that_is_kept_with_the_object(
    old: Store, weather: Any, tmp_path: Any
) -> None:
    file = tmp_path / "weights.bin"
    file.write_bytes(bytes(11 << 20))
    weather.headers.clear()

    old.create("a/new", b"new")
    old.put("a/large", file)

    bodies = [headers for headers in weather.headers if int(headers.get("content-length", 0)) > 0]
    assert sum("x-amz-checksum-sha256" in headers for headers in bodies) == 4


def test_purge_that_left_something_says_what(old: Store, weather: Any) -> None:
    weather.fail("not all", "POST")

    with pytest.raises(StoreUnavailable, match=r"a/key.*InternalError"):
        old.purge(list(old.generations("a/")))


def test_listing_that_is_left_early_does_not_read_every_page(
    old: Store, weather: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MOTO_S3_DEFAULT_MAX_KEYS", "30")
    for number in range(65):
        old.put(f"m/{number:02}", b"")
    weather.requests.clear()

    next(old.list("m/"))

    assert len(weather.requests) == 2


def test_error_names_the_call_and_the_key(old: Store, weather: Any) -> None:
    weather.fail("denied", "GET")

    with pytest.raises(LampyrisError, match="get a/key"):
        old.get("a/key")
