"""What a backup is: the registry's own objects under their own keys, and an index of what belongs to it.

The index comes last. It names the list of all copies, by digest, and the list names each copy by its digest:
so a backup is complete or says that it is not, and what was altered in it is found.
"""

import hashlib
import tempfile
from datetime import datetime
from pathlib import Path
from typing import Literal

import msgspec

from lampyris.domain.layout import blob_key
from lampyris.domain.manifest import PART_SIZE_BYTES, Blob
from lampyris.domain.sealed import seal, unseal
from lampyris.domain.store import Store
from lampyris.errors import CopyDamaged, DocumentDamaged, NoBackup, ObjectNotFound

INDEX = "backup.json"
LIST = "backup-list.json"
CHANGES = "changes/"
REJECTED = "rejected/"


class Copied(msgspec.Struct, frozen=True, kw_only=True):
    """What was copied now: documents, blobs, and their bytes; `skipped` objects were there already.

    `done` is False if the time was over before the end: ask again, and it goes on.
    """

    documents: int = 0
    blobs: int = 0
    bytes: int = 0
    skipped: int = 0
    done: bool = False


class Copy(msgspec.Struct, frozen=True, kw_only=True):
    """One object of a backup; `digest` is the SHA-256 of its bytes (hex)."""

    key: str
    digest: str
    size_bytes: int


class Index(msgspec.Struct, frozen=True, kw_only=True):
    """What a backup holds: of one model, or of the whole registry (None).

    `origin` is the digest of the first entry of the registry's audit, which tells registries apart. `list` is
    the SHA-256 of the list of copies. Without `completed_at` the backup is being written, or was interrupted.
    """

    format: Literal[1] = 1
    model: str | None
    origin: str
    begun_at: datetime
    completed_at: datetime | None = None
    copies: int = 0
    size_bytes: int = 0
    audited: int = 0
    list: str = ""


def read_index(store: Store) -> Index | None:
    """Read what a backup says of itself; None if there is none. Raises: NoBackup if it cannot be read."""
    try:
        found = store.get(INDEX)
    except ObjectNotFound:
        return None
    try:
        return unseal(found.data).decode(Index)
    except DocumentDamaged:
        raise NoBackup(
            reason=f"{INDEX} was altered: it does not have its digest. Make a new backup."
        ) from None


def write_index(store: Store, index: Index) -> None:
    store.put(INDEX, seal(index).data)


def read_list(store: Store, index: Index) -> list[Copy]:
    """Read what belongs to a backup. Raises: CopyDamaged."""
    if not index.list:
        return []
    try:
        data = store.get(LIST).data
    except ObjectNotFound:
        data = b""
    if digest_of(data) != index.list:
        raise CopyDamaged(key=LIST, place="backup")
    return msgspec.json.decode(data, type=list[Copy])


def write_list(store: Store, copies: list[Copy]) -> str:
    """Write down what belongs to a backup; return the digest for its index."""
    data = msgspec.json.encode(copies)
    store.put(LIST, data)
    return digest_of(data)


def digest_of(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def copy_blob(source: Store, target: Store, copy: Copy, *, place: str) -> None:
    """Copy a blob, a part at a time, if what is read has its digest.

    Raises: CopyDamaged if it has not, or is not there: in `place`, for people.
    """
    with tempfile.TemporaryDirectory(prefix="lampyris-copy-") as folder:
        path = Path(folder, "blob")
        try:
            with path.open("wb") as file:
                digest = hashlib.sha256()
                for start in range(0, copy.size_bytes, PART_SIZE_BYTES):
                    part = source.get_range(copy.key, start, min(PART_SIZE_BYTES, copy.size_bytes - start))
                    digest.update(part)
                    file.write(part)
        except ObjectNotFound:
            raise CopyDamaged(key=copy.key, place=place) from None
        if digest.hexdigest() != copy.digest:
            raise CopyDamaged(key=copy.key, place=place)
        target.put(copy.key, path)


def is_whole(store: Store, copy: Copy) -> bool:
    """Read what stands there, and tell whether it is the copy."""
    digest = hashlib.sha256()
    try:
        if store.size_bytes(copy.key) != copy.size_bytes:
            return False
        for start in range(0, copy.size_bytes, PART_SIZE_BYTES):
            digest.update(store.get_range(copy.key, start, min(PART_SIZE_BYTES, copy.size_bytes - start)))
    except ObjectNotFound:
        return False
    return digest.hexdigest() == copy.digest


def copy_of_blob(blob: Blob) -> Copy:
    return Copy(key=blob_key(blob.digest), digest=blob.digest, size_bytes=blob.size_bytes)
