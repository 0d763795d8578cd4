"""How every adapter lists: objects in key order, folders, and the writings that are kept."""

import threading
from datetime import UTC, datetime, timedelta
from itertools import islice

import pytest

from lampyris.domain.store import Store
from lampyris.errors import ObjectNotFound

WITHOUT_VERSIONS = {"folder", "rough"}


def keys(store: Store, prefix: str, after: str = "") -> list[str]:
    return [entry.key for entry in store.list(prefix, after)]


def writings(store: Store, prefix: str) -> list[tuple[str, int, bool]]:
    return [(one.key, one.size_bytes, one.is_latest) for one in store.generations(prefix)]


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


def test_listing_is_in_the_order_of_whole_keys(store: Store) -> None:
    ordered = [
        "a",
        "a!/x",
        "a-b/x",
        "a.json",
        "a/x",
        "a/x-1/y",
        "a/x/y",
        "a/x0",
        "a0",
        "aé/x",
        "a日/x",
        "a𝄞/x",
    ]
    for key in reversed(ordered):
        if key not in {"a", "a/x"}:  # in a folder nothing stands both at a key and below it
            store.put(key, b"")
    ordered = [key for key in ordered if key not in {"a", "a/x"}]

    assert keys(store, "") == ordered
    for position, key in enumerate(ordered):
        assert keys(store, "", after=key) == ordered[position + 1 :]


def test_listing_goes_on_after_a_key_whether_it_stands_or_not(store: Store) -> None:
    for key in ("m/a/1", "m/b/1", "m/b/2", "m/c/1", "n/1"):
        store.put(key, b"")

    assert keys(store, "m/", after="m/b/1") == ["m/b/2", "m/c/1"]
    assert keys(store, "m/", after="m/b/11") == ["m/b/2", "m/c/1"]
    assert keys(store, "m/", after="m/b") == ["m/b/1", "m/b/2", "m/c/1"]
    assert keys(store, "m/", after="a") == ["m/a/1", "m/b/1", "m/b/2", "m/c/1"]
    assert keys(store, "m/", after="m/c/1") == []
    assert keys(store, "m/", after="z") == []
    assert keys(store, "m/b/", after="m/a/1") == ["m/b/1", "m/b/2"]


def test_listing_may_be_left_and_taken_up_again(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MOTO_S3_DEFAULT_MAX_KEYS", "10")
    for number in range(25):
        store.put(f"many/{number:02}", b"")

    first = [entry.key for entry in islice(store.list("many/"), 12)]

    assert first + keys(store, "many/", after=first[-1]) == [f"many/{number:02}" for number in range(25)]


def test_listing_while_others_write_shows_once_what_stood_throughout(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MOTO_S3_DEFAULT_MAX_KEYS", "10")
    standing = [f"m/{number:02}/key" for number in range(30)]
    for key in standing:
        store.put(key, b"")
    is_over = threading.Event()

    def come_and_go() -> None:
        while not is_over.is_set():
            for number in range(0, 30, 3):
                store.put(f"m/{number:02}/b/other", b"")
                store.delete(f"m/{number:02}/b/other")

    writer = threading.Thread(target=come_and_go)
    writer.start()
    listings = [keys(store, "m/") for _ in range(5)]
    is_over.set()
    writer.join()

    for listing in listings:
        assert listing == sorted(set(listing))
        assert [key for key in listing if key.endswith("/key")] == standing


def test_folders_are_named_in_order_and_objects_are_not(store: Store) -> None:
    for key in ("m/b/1", "m/a/x/y/z", "m/a-b/1", "m/a0/1", "m/object", "ma/1", "top"):
        store.put(key, b"")

    assert list(store.list_folders("m/")) == ["a", "a-b", "a0", "b"]
    assert list(store.list_folders("m/a/")) == ["x"]
    assert list(store.list_folders("")) == ["m", "ma"]
    assert list(store.list_folders("m/b/")) == list(store.list_folders("nothing/")) == []


def test_folder_is_gone_with_the_last_object_below_it(store: Store, kind: str) -> None:
    if kind == "s3":
        pytest.skip("moto, unlike S3, goes on naming folders in a bucket that keeps versions")
    store.put("m/a/x/1", b"")
    store.put("m/b/1", b"")

    store.delete("m/a/x/1")

    assert list(store.list_folders("m/")) == ["b"]


def test_what_stands_is_the_latest_writing(store: Store) -> None:
    store.put("m/a/1", b"1")
    store.put("m/b", b"22")
    store.put("n/c", b"333")

    assert writings(store, "m/") == [("m/a/1", 1, True), ("m/b", 2, True)]
    (entry,) = store.list("n/")
    (writing,) = store.generations("n/")
    assert abs(writing.modified_at - entry.modified_at) < timedelta(seconds=1)
    assert list(store.generations("nothing/")) == []


def test_writings_that_are_kept_are_told_newest_first(store: Store, kind: str) -> None:
    store.put("m/a", b"1")
    store.put("m/a", b"22")
    store.put("m/b", b"1")
    store.delete("m/b")
    store.put("m/c", b"1")

    expected = [("m/a", 2, True), ("m/c", 1, True)]
    if kind not in WITHOUT_VERSIONS:
        expected = [
            ("m/a", 2, True),
            ("m/a", 1, False),
            ("m/b", 0, True),
            ("m/b", 1, False),
            ("m/c", 1, True),
        ]
    assert writings(store, "m/") == expected
    listed = list(store.generations("m/"))
    assert len({(one.key, one.id) for one in listed}) == len(listed)


def test_purged_objects_are_beyond_recovery(store: Store) -> None:
    store.put("m/a", b"1")
    store.put("m/a", b"22")
    store.put("m/b/c", b"1")
    store.delete("m/b/c")
    store.put("m2/stays", b"1")

    store.purge(store.generations("m/"))

    assert list(store.generations("m/")) == []
    assert keys(store, "") == ["m2/stays"]
    assert list(store.list_folders("")) == ["m2"]
    with pytest.raises(ObjectNotFound):
        store.get("m/a")


def test_what_is_written_after_the_listing_is_not_purged(store: Store, kind: str) -> None:
    if kind == "rough":
        pytest.skip("such a bucket has one name for all writings of a key")
    store.put("m/a", b"1")
    store.put("m/b", b"1")
    doomed = list(store.generations("m/"))
    store.put("m/a", b"1")

    store.purge(doomed)

    assert store.get("m/a").data == b"1"
    assert keys(store, "m/") == ["m/a"]
    assert len(list(store.generations("m/"))) == 1


def test_purging_an_old_writing_leaves_what_stands(store: Store, kind: str) -> None:
    if kind in WITHOUT_VERSIONS:
        pytest.skip("it keeps no old writings")
    store.put("m/a", b"1")
    store.put("m/a", b"22")

    store.purge([one for one in store.generations("m/") if not one.is_latest])

    assert store.get("m/a").data == b"22"
    assert writings(store, "m/") == [("m/a", 2, True)]


def test_purging_a_deletion_brings_back_what_was_deleted(store: Store, kind: str) -> None:
    if kind in WITHOUT_VERSIONS:
        pytest.skip("it keeps no deletions")
    store.put("m/a", b"1")
    store.delete("m/a")

    store.purge([one for one in store.generations("m/") if one.is_latest])

    assert store.get("m/a").data == b"1"
    assert keys(store, "m/") == ["m/a"]


def test_purging_twice_does_nothing_more(store: Store) -> None:
    store.put("m/a", b"1")
    store.put("m/b", b"1")
    doomed = [one for one in store.generations("m/") if one.key == "m/a"]

    store.purge(doomed)
    store.purge(doomed)
    store.purge([])

    assert keys(store, "m/") == ["m/b"]


def test_writings_may_be_purged_while_they_are_listed(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MOTO_S3_DEFAULT_MAX_KEYS", "4")
    for number in range(12):
        store.put(f"m/{number % 4}", b"x" * number)

    for writing in store.generations("m/"):
        store.purge([writing])

    assert list(store.generations("")) == []
