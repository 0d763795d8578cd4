"""Blobs: named by what they hold, reserved until a document names them."""

import hashlib
from pathlib import Path

import msgspec
import pytest
from blake3 import blake3

from lampyris.adapters.memory_store import MemoryStore
from lampyris.domain.layout import blob_key
from lampyris.domain.manifest import PART_SIZE_BYTES
from lampyris.registry.blobs import Reservation, put_blobs, release


@pytest.mark.parametrize("size_bytes", [0, 1, PART_SIZE_BYTES, 2 * PART_SIZE_BYTES + 5])
def test_blob_is_the_same_from_bytes_and_from_a_file(
    store: MemoryStore, tmp_path: Path, size_bytes: int
) -> None:
    data = bytes(index % 251 for index in range(256)) * (size_bytes // 256 + 1)
    data = data[:size_bytes]
    file = tmp_path / "blob"
    file.write_bytes(data)

    (of_file, of_bytes) = put_blobs(store, "iris/u1", [file, data])

    assert of_file == of_bytes
    assert store.get(blob_key(of_file.digest)).data == data
    assert of_file.digest == hashlib.sha256(data).hexdigest()
    assert of_file.size_bytes == size_bytes
    assert list(of_file.part_digests) == [
        blake3(data[start : start + PART_SIZE_BYTES]).hexdigest()
        for start in range(0, size_bytes, PART_SIZE_BYTES)
    ]


def test_blobs_are_reserved_until_they_are_released(store: MemoryStore) -> None:
    blobs = put_blobs(store, "iris/u1", [b"graph", b"weights"])

    (entry,) = store.list("reservations/iris/u1/")
    reserved = msgspec.json.decode(store.get(entry.key).data, type=Reservation)
    release(store, "iris/u1")

    assert reserved.digests == tuple(blob.digest for blob in blobs)
    assert list(store.list("reservations/")) == []


def test_two_who_came_to_other_bytes_of_one_upload_reserve_both_until_it_is_a_version(
    store: MemoryStore,
) -> None:
    first = put_blobs(store, "iris/u1", [b"graph"])
    second = put_blobs(store, "iris/u1", [b"another graph"])

    reserved = {
        digest
        for entry in store.list("reservations/iris/u1/")
        for digest in msgspec.json.decode(store.get(entry.key).data, type=Reservation).digests
    }
    release(store, "iris/u1")

    assert reserved == {blob.digest for blob in (*first, *second)}
    assert list(store.list("reservations/")) == []


def test_nothing_is_released_twice(store: MemoryStore) -> None:
    release(store, "iris/u1")

    assert list(store.list("reservations/")) == []


def test_blob_that_stands_already_is_written_again_so_that_nothing_clears_it_away(store: MemoryStore) -> None:
    (blob,) = put_blobs(store, "iris/u1", [b"graph"])

    put_blobs(store, "iris/u2", [b"graph"])

    assert len(list(store.generations("blobs/"))) == 2
    assert store.get(blob_key(blob.digest)).data == b"graph"
