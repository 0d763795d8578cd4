"""Read an upload from the inbox: what arrived, whether it is all there and unaltered, and its files on disk.

An upload's id names one upload. Writing to the same place again later makes a new one; not so while the first
is still being worked on.
"""

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import msgspec

from lampyris.domain.bundle import MODEL_FILE, PROBE_FILE, Bundle, BundleFile
from lampyris.domain.layout import BUNDLE_FILE, FILES, Upload
from lampyris.domain.manifest import PART_SIZE_BYTES
from lampyris.domain.store import Entry, Store
from lampyris.errors import CorruptBundle, UploadTooLarge

BUNDLE_FORMAT = 1
# The document ends up in the manifest, which every cold start reads.
BUNDLE_LIMIT_BYTES = 1_000_000


@dataclass(frozen=True, kw_only=True)
class Delivery:
    """An upload as the inbox lists it: its objects by key."""

    upload: Upload
    entries: Mapping[str, Entry]

    @property
    def completed_at(self) -> datetime:
        """When the object that completed the upload was written."""
        return self.entries[self.upload.key].modified_at


@dataclass(frozen=True, kw_only=True)
class Received:
    """An upload on disk: `source` is the SHA-256 of its model file; a bare model has no bundle."""

    source: str
    bundle: Bundle | None


def find_delivery(store: Store, upload: Upload) -> Delivery | None:
    """List an upload; None if it is not in the inbox any more."""
    entries = {entry.key: entry for entry in store.list(upload.prefix)}
    return Delivery(upload=upload, entries=entries) if upload.key in entries else None


def receive(store: Store, delivery: Delivery, folder: Path, *, limit_bytes: int) -> Received:
    """Write the upload's model, and a bundle's probe and document, into `folder`.

    Raises: UploadTooLarge before anything is read; CorruptBundle; ObjectNotFound, StoreUnavailable.
    """
    upload, entries = delivery.upload, delivery.entries
    keys = entries if upload.is_bundle else [upload.key]
    size_bytes = sum(entries[key].size_bytes for key in keys)
    if size_bytes > limit_bytes:
        raise UploadTooLarge(size_bytes=size_bytes, limit_bytes=limit_bytes)
    if not upload.is_bundle:
        return Received(source=_download(store, entries[upload.key], folder / MODEL_FILE), bundle=None)
    document = _document(store, entries[upload.key])
    (folder / BUNDLE_FILE).write_bytes(document)
    bundle = read_bundle(document)
    _check_listing(bundle, delivery)
    for name, promised in bundle.files.items():
        # A file is named by its uploader: only names of ours are written to disk.
        path = folder / name if name in (MODEL_FILE, PROBE_FILE) else Path(os.devnull)
        _check_digest(name, promised, _download(store, entries[upload.file_key(name)], path))
    return Received(source=bundle.files[MODEL_FILE].digest, bundle=bundle)


def _document(store: Store, entry: Entry) -> bytes:
    if entry.size_bytes > BUNDLE_LIMIT_BYTES:
        raise CorruptBundle(
            reason=f"{BUNDLE_FILE} has {entry.size_bytes:,} bytes; at most {BUNDLE_LIMIT_BYTES:,} are read."
        )
    return store.get(entry.key).data


def read_bundle(document: bytes) -> Bundle:
    """Read a `bundle.json`.

    Raises: CorruptBundle.
    """
    try:
        bundle = msgspec.json.decode(document, type=Bundle)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise CorruptBundle(reason=f"{BUNDLE_FILE} cannot be read: {error}") from None
    if bundle.format != BUNDLE_FORMAT:
        raise CorruptBundle(
            reason=f"{BUNDLE_FILE} is of format {bundle.format}; this Lampyris reads {BUNDLE_FORMAT}."
        )
    for name in (MODEL_FILE, PROBE_FILE):
        if name not in bundle.files:
            raise CorruptBundle(reason=f"{BUNDLE_FILE} names no {FILES}{name}; a bundle holds one.")
    return bundle


def _check_listing(bundle: Bundle, delivery: Delivery) -> None:
    """Hold the names and sizes that arrived against those that the bundle promises."""
    upload, entries = delivery.upload, delivery.entries
    expected = {upload.file_key(name): promised for name, promised in bundle.files.items()}
    for key, promised in expected.items():
        name = key.removeprefix(upload.prefix)
        if key not in entries:
            raise CorruptBundle(reason=f"{BUNDLE_FILE} names {name}, which is missing.")
        if entries[key].size_bytes != promised.size_bytes:
            raise CorruptBundle(
                reason=f"{name} has {entries[key].size_bytes:,} bytes; "
                f"{BUNDLE_FILE} says {promised.size_bytes:,}. Upload the bundle again."
            )
    for key in entries:
        if key not in expected and key != upload.key:
            raise CorruptBundle(
                reason=f"{key.removeprefix(upload.prefix)} was uploaded, but {BUNDLE_FILE} does not name it."
            )


def _check_digest(name: str, promised: BundleFile, digest: str) -> None:
    if digest != promised.digest:
        raise CorruptBundle(
            reason=f"{FILES}{name} was altered: its SHA-256 is {digest}; "
            f"{BUNDLE_FILE} says {promised.digest}. Upload the bundle again."
        )


def _download(store: Store, entry: Entry, path: Path) -> str:
    """Write an object to disk, a part at a time, and return its SHA-256."""
    digest = hashlib.sha256()
    with path.open("wb") as file:
        for start in range(0, entry.size_bytes, PART_SIZE_BYTES):
            part = store.get_range(entry.key, start, min(PART_SIZE_BYTES, entry.size_bytes - start))
            digest.update(part)
            file.write(part)
    return digest.hexdigest()
