"""Put immutable bytes under their own digest."""

import hashlib
from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec
from blake3 import blake3

from lampyris.domain.layout import blob_key, reservations_prefix
from lampyris.domain.manifest import PART_SIZE_BYTES, Blob
from lampyris.domain.store import Store


class Reservation(msgspec.Struct, frozen=True, kw_only=True):
    """The blobs that a document is about to name: nothing may clear them away before it does."""

    digests: tuple[str, ...]


def put_blobs(store: Store, owner: str, sources: Iterable[bytes | Path]) -> list[Blob]:
    """Put immutable bytes, each under its own digest, reserved until `release`.

    They are put whether or not they stand there: what clears old blobs away spares those written since it
    looked.
    """
    blobs = [(digest_blob(source), source) for source in sources]
    reserve(store, owner, tuple(blob.digest for blob, _ in blobs))
    for blob, source in blobs:
        store.put(blob_key(blob.digest), source)
    return [blob for blob, _ in blobs]


def reserve(store: Store, owner: str, digests: tuple[str, ...]) -> None:
    """Say which blobs a document is about to name.

    Two who are at the same work, and came to other bytes, each reserve their own.
    """
    reservation = msgspec.json.encode(Reservation(digests=digests))
    store.put(f"{reservations_prefix(owner)}{hashlib.sha256(reservation).hexdigest()}.json", reservation)


def release(store: Store, owner: str) -> None:
    """Take the reservations of an owner back, once its document is there: no other will be written."""
    for entry in list(store.list(reservations_prefix(owner))):
        store.delete(entry.key)


def digest_blob(source: bytes | Path) -> Blob:
    """Digest bytes or a file, whole and part by part. A file is never held whole."""
    whole = hashlib.sha256()
    size_bytes = 0
    part_digests = []
    for part in _parts(source):
        whole.update(part)
        size_bytes += len(part)
        part_digests.append(blake3(part).hexdigest())
    return Blob(
        digest=whole.hexdigest(),
        size_bytes=size_bytes,
        part_size_bytes=PART_SIZE_BYTES,
        part_digests=tuple(part_digests),
        part_hash="blake3",
    )


def _parts(source: bytes | Path) -> Iterator[bytes | memoryview]:
    if isinstance(source, bytes):
        for start in range(0, len(source), PART_SIZE_BYTES):
            yield memoryview(source)[start : start + PART_SIZE_BYTES]
        return
    with source.open("rb") as file:
        while part := file.read(PART_SIZE_BYTES):
            yield part
