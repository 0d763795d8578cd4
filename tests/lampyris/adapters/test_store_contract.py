"""What Lampyris needs of a bucket, held against every adapter of its port.

They are memory, a folder, S3 as moto serves it with versions, and without them behind a layer ("rough") that
tells requests to slow down and answers races as S3 does.
"""

from collections.abc import Callable
from itertools import product
from pathlib import Path

import pytest

from lampyris.domain.store import Store
from lampyris.errors import InvalidName, ObjectChanged, ObjectExists, ObjectNotFound

ODD_KEYS = [
    "inbox/iris/u1/Mein Modell (2)+ä%20.onnx",
    "a/b%2Fc%",
    "a/#1?x=y&z",
    "a/日本/モデル",
    "a/\"'`<>|*\\~$!;:@,=[]{}^",
    "a/ leading and trailing ",
    "a/...",
    "a/.hidden",
    "a/" + "x" * 255,
    "a/" + "/".join("deep" for _ in range(100)),
    "a/" + "é" * 120,
]
BAD_KEYS = [
    ".lampyris",
    ".lampyris/lock",
    "",
    "/",
    "/a",
    "a/",
    "a//b",
    ".",
    "..",
    "../a",
    "a/..",
    "a/../b",
    "a/./b",
    "a/\0",
    "a\n",
    "x" * 1025,
]


def test_object_is_read_as_it_was_written(store: Store) -> None:
    store.put("a/key", b"\x00\xff bytes")

    assert store.get("a/key").data == b"\x00\xff bytes"
    assert store.size_bytes("a/key") == 8


def test_object_is_looked_at_as_a_listing_shows_it(store: Store) -> None:
    store.put("a/key", b"\x00\xff bytes")

    (listed,) = store.list("a/")

    assert store.head("a/key").size_bytes == 8
    assert (listed.size_bytes, listed.etag) == (8, store.head("a/key").etag)
    assert listed.etag == store.get("a/key").etag


def test_empty_object_is_an_object(store: Store) -> None:
    store.put("empty", b"")

    assert store.get("empty").data == b""
    assert store.size_bytes("empty") == 0


def test_put_writes_over_what_stood_there(store: Store) -> None:
    store.put("key", b"one")
    store.put("key", b"two")

    assert store.get("key").data == b"two"


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


def test_key_may_hold_whatever_letters(store: Store) -> None:
    for key in ODD_KEYS:
        store.create(key, key.encode())

    assert [store.get(key).data for key in ODD_KEYS] == [key.encode() for key in ODD_KEYS]
    assert [entry.key for entry in store.list("")] == sorted(ODD_KEYS)

    for key in ODD_KEYS:
        store.replace(key, b"y", store.get(key).etag)
        store.delete(key)

    assert list(store.list("")) == []


def test_key_that_is_no_path_is_refused_by_every_method(store: Store) -> None:
    methods: list[Callable[[str], object]] = [
        store.get,
        lambda key: store.get_if_changed(key, '"etag"'),
        lambda key: store.get_range(key, 0, 1),
        store.head,
        store.size_bytes,
        lambda key: store.put(key, b"x"),
        lambda key: store.create(key, b"x"),
        lambda key: store.replace(key, b"x", '"etag"'),
        store.delete,
        lambda key: store.presign("GET", key, 60),
    ]

    for method, key in product(methods, BAD_KEYS):
        with pytest.raises(InvalidName, match="a key has at most 1,024 bytes"):
            method(key)


def test_prefix_that_is_no_path_is_refused(store: Store) -> None:
    for prefix in ("/", "../", "a//", "a/../", "a/\0/"):
        with pytest.raises(InvalidName):
            list(store.list(prefix))
        with pytest.raises(InvalidName):
            store.list_folders(prefix)
        with pytest.raises(InvalidName):
            list(store.generations(prefix))


def test_file_larger_than_a_part_arrives_whole(store: Store, tmp_path: Path) -> None:
    data = bytes(range(256)) * (11 * 4096)
    file = tmp_path / "weights.bin"
    file.write_bytes(data)

    store.put("weights", file)

    assert store.size_bytes("weights") == len(data)
    assert store.get("weights").data == data
    assert bytes(store.get_range("weights", len(data) - 3, 3)) == data[-3:]


def test_missing_object_is_not_found_by_any_way_of_reading(store: Store) -> None:
    store.put("folder/below", b"x")

    for key in ("nothing", "folder", "folder/below/more"):
        with pytest.raises(ObjectNotFound, match=key):
            store.get(key)
        with pytest.raises(ObjectNotFound, match=key):
            store.get_if_changed(key, '"etag"')
        with pytest.raises(ObjectNotFound, match=key):
            store.get_range(key, 0, 1)
        with pytest.raises(ObjectNotFound, match=key):
            store.get_range(key, 0, 1, '"etag"')
        with pytest.raises(ObjectNotFound, match=key):
            store.head(key)
        with pytest.raises(ObjectNotFound, match=key):
            store.size_bytes(key)


def test_range_is_the_bytes_from_an_offset(store: Store) -> None:
    store.put("key", b"0123456789")

    assert bytes(store.get_range("key", 3, 4)) == b"3456"
    assert bytes(store.get_range("key", 9, 1)) == b"9"


def test_range_of_an_object_that_was_overwritten_is_refused(store: Store) -> None:
    store.put("key", b"0123456789")
    etag = store.head("key").etag

    assert bytes(store.get_range("key", 3, 4, etag)) == b"3456"
    assert bytes(store.get_range("key", 10, 4, etag)) == b""

    store.put("key", b"abcdefghij")

    with pytest.raises(ObjectChanged, match="key"):
        store.get_range("key", 3, 4, etag)
    assert bytes(store.get_range("key", 3, 4)) == b"defg"


def test_range_ends_where_the_object_does(store: Store) -> None:
    store.put("key", b"0123456789")
    store.put("empty", b"")

    assert bytes(store.get_range("key", 8, 4)) == b"89"
    assert bytes(store.get_range("key", 10, 4)) == b""
    assert bytes(store.get_range("key", 99, 4)) == b""
    assert bytes(store.get_range("empty", 0, 1)) == b""


def test_deleted_object_is_gone_and_can_be_created_again(store: Store) -> None:
    store.put("a/key", b"one")
    store.put("a/key2", b"stays")

    store.delete("a/key")

    with pytest.raises(ObjectNotFound):
        store.get("a/key")
    assert [entry.key for entry in store.list("a/")] == ["a/key2"]

    store.create("a/key", b"two")

    assert store.get("a/key").data == b"two"


def test_deleting_nothing_does_nothing(store: Store) -> None:
    store.put("a/b/key", b"stays")

    for key in ("nothing", "a", "a/b", "a/b/key/more"):
        store.delete(key)

    assert [entry.key for entry in store.list("")] == ["a/b/key"]


def test_replace_of_what_was_deleted_writes_nothing(store: Store) -> None:
    store.put("key", b"one")
    etag = store.get("key").etag
    store.delete("key")

    with pytest.raises(ObjectChanged):
        store.replace("key", b"two", etag)
    assert list(store.list("")) == []


def test_address_names_the_key(store: Store) -> None:
    url = store.presign("GET", "answers/1", 60)

    assert url.partition("?")[0].endswith("/answers/1")
