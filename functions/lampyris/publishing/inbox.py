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

from lampyris.domain.bundle import (
    EVALUATION_FILE,
    MODEL_FILE,
    PROBE_FILE,
    REFERENCE_FILE,
    Bundle,
    BundleFile,
    Instructions,
)
from lampyris.domain.layout import BUNDLE_FILE, FILES, INSTRUCTIONS_FILE, SIGNATURE_FILE, Upload
from lampyris.domain.manifest import PART_SIZE_BYTES
from lampyris.domain.store import Entry, Store
from lampyris.errors import BadSignature, CorruptBundle, InvalidInstructions, UnsignedUpload, UploadTooLarge
from lampyris.publishing.signing import SIGNATURE_BYTES, TrustedKey, verify

BUNDLE_FORMAT = 1
# The document ends up in the manifest, which every cold start reads; so do the digests of the files.
BUNDLE_LIMIT_BYTES = 1_000_000
_MOST_FILES = 100
# What one parser reads, within documents that hold it, another may refuse.
_DEEPEST = 20
_INSTRUCTIONS_LIMIT_BYTES = 10_000
# A file is named by its uploader: only names of ours are written to disk.
_WRITTEN = (MODEL_FILE, PROBE_FILE, EVALUATION_FILE, REFERENCE_FILE)


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
    """An upload on disk: `source` is the SHA-256 of its model file; a bare model has no bundle.

    `files` holds the SHA-256 of all that was uploaded, by its name below the upload's place. `signed_by` is
    the digest of the key, and None where none is asked for.
    """

    source: str
    files: dict[str, str]
    instructions: Instructions
    bundle: Bundle | None = None
    signed_by: str | None = None


def find_delivery(store: Store, upload: Upload) -> Delivery | None:
    """List an upload; None if it is not in the inbox any more."""
    entries = {entry.key: entry for entry in store.list(upload.prefix)}
    return Delivery(upload=upload, entries=entries) if upload.key in entries else None


def receive(
    store: Store,
    delivery: Delivery,
    folder: Path,
    *,
    limit_bytes: int,
    trusted_keys: tuple[TrustedKey, ...] = (),
) -> Received:
    """Write the upload's model, and a bundle's document and what it is measured with, into `folder`.

    Where there are trusted keys, one of them must have signed the upload.
    Raises: UploadTooLarge before anything is read; UnsignedUpload, BadSignature, InvalidInstructions,
        CorruptBundle; ObjectNotFound, StoreUnavailable.
    """
    upload, entries = delivery.upload, delivery.entries
    keys = entries.keys() if upload.is_bundle else entries.keys() & {upload.key, upload.instructions_key}
    size_bytes = sum(entries[key].size_bytes for key in keys)
    if size_bytes > limit_bytes:
        raise UploadTooLarge(size_bytes=size_bytes, limit_bytes=limit_bytes)
    if upload.is_bundle:
        return _receive_bundle(store, delivery, folder, trusted_keys)
    if trusted_keys:
        raise UnsignedUpload(file=upload.file)
    instructions = _read_instructions(store, delivery)
    source = _download(store, entries[upload.key], folder / MODEL_FILE)
    return Received(
        source=source,
        files=_digests({upload.file: source}, {INSTRUCTIONS_FILE: instructions}),
        instructions=read_instructions(instructions),
    )


def _receive_bundle(
    store: Store, delivery: Delivery, folder: Path, trusted_keys: tuple[TrustedKey, ...]
) -> Received:
    upload, entries = delivery.upload, delivery.entries
    document = _read_document(store, entries[upload.key])
    signature = _read_signature(store, delivery)
    signed_by = _signer(document, signature, trusted_keys)
    instructions = _read_instructions(store, delivery)
    bundle = read_bundle(document)
    if signed_by is not None and bundle.model != upload.model:
        raise BadSignature(
            reason=f"the bundle was signed for model {bundle.model!r}, and uploaded for {upload.model!r}."
        )
    _check_listing(bundle, delivery)
    (folder / BUNDLE_FILE).write_bytes(document)
    for name, promised in bundle.files.items():
        path = folder / name if name in _WRITTEN else Path(os.devnull)
        _check_digest(name, promised, _download(store, entries[upload.file_key(name)], path))
    promised_files = {f"{FILES}{name}": promised.digest for name, promised in bundle.files.items()}
    return Received(
        source=bundle.files[MODEL_FILE].digest,
        files=_digests(
            promised_files,
            {BUNDLE_FILE: document, SIGNATURE_FILE: signature, INSTRUCTIONS_FILE: instructions},
        ),
        instructions=read_instructions(instructions),
        bundle=bundle,
        signed_by=signed_by,
    )


def _digests(files: dict[str, str], documents: dict[str, bytes | None]) -> dict[str, str]:
    """Add the documents that came to the digests of the files."""
    return files | {
        name: hashlib.sha256(data).hexdigest() for name, data in documents.items() if data is not None
    }


def _read_document(store: Store, entry: Entry) -> bytes:
    if entry.size_bytes > BUNDLE_LIMIT_BYTES:
        raise CorruptBundle(
            reason=f"{BUNDLE_FILE} has {entry.size_bytes:,} bytes; at most {BUNDLE_LIMIT_BYTES:,} are read."
        )
    return store.get(entry.key).data


def _read_signature(store: Store, delivery: Delivery) -> bytes | None:
    entry = delivery.entries.get(delivery.upload.signature_key)
    if entry is None:
        return None
    if entry.size_bytes != SIGNATURE_BYTES:
        raise BadSignature(
            reason=f"it has {entry.size_bytes:,} bytes, where one of Ed25519 has {SIGNATURE_BYTES}."
        )
    return store.get(entry.key).data


def _signer(document: bytes, signature: bytes | None, trusted_keys: tuple[TrustedKey, ...]) -> str | None:
    """Return the digest of the key that signed the bundle; None where nobody asks for a signature."""
    if not trusted_keys:
        return None
    if signature is None:
        raise UnsignedUpload(file=BUNDLE_FILE)
    return verify(document, signature, trusted_keys).digest


def _read_instructions(store: Store, delivery: Delivery) -> bytes | None:
    entry = delivery.entries.get(delivery.upload.instructions_key)
    if entry is None:
        return None
    if entry.size_bytes > _INSTRUCTIONS_LIMIT_BYTES:
        raise InvalidInstructions(
            reason=f"it has {entry.size_bytes:,} bytes; at most {_INSTRUCTIONS_LIMIT_BYTES:,} are read."
        )
    return store.get(entry.key).data


def read_instructions(document: bytes | None) -> Instructions:
    """Read an `instructions.json`; without one, what is uploaded goes live.

    Raises: InvalidInstructions.
    """
    if document is None:
        return Instructions()
    try:
        return msgspec.json.decode(document, type=Instructions)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidInstructions(
            reason=f'{error}. An example: {{"release": "hold", "reason": "to be compared first"}}; '
            'release is "live" or "hold".'
        ) from None


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
    if _depth(bundle.provenance) > _DEEPEST:
        raise CorruptBundle(reason=f"{BUNDLE_FILE} has a provenance of more than {_DEEPEST} levels.")
    if len(bundle.files) > _MOST_FILES:
        raise CorruptBundle(
            reason=f"{BUNDLE_FILE} names {len(bundle.files):,} files; at most {_MOST_FILES} are taken."
        )
    for name in (MODEL_FILE, PROBE_FILE):
        if name not in bundle.files:
            raise CorruptBundle(reason=f"{BUNDLE_FILE} names no {FILES}{name}; a bundle holds one.")
    return bundle


def _depth(document: object) -> int:
    """Count the levels of a JSON document, down to one more than are taken."""
    depth, level = 0, [document]
    while depth <= _DEEPEST and (level := [one for one in level if isinstance(one, dict | list)]):
        depth += 1
        level = [member for one in level for member in (one.values() if isinstance(one, dict) else one)]
    return depth


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
    beside = {upload.key, upload.signature_key, upload.instructions_key}
    for key in entries:
        if key not in expected and key not in beside:
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
