"""The registry: versions and aliases as documents in a bucket, and the three writes that make a version live.

Every write is safe to repeat, whether or not an earlier attempt took effect. In this order a reader sees
nothing half done: blobs (named by their digest); the manifest (created where none stands, which commits it);
the alias (replaced only as it was read).
"""

from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING

import msgspec

from lampyris.domain.layout import (
    MODELS,
    alias_key,
    aliases_prefix,
    blob_key,
    rejected_key,
    version_key,
    version_of_key,
    versions_prefix,
)
from lampyris.domain.manifest import PART_SIZE_BYTES, Alias, Blob, Manifest, Rejection, Route
from lampyris.domain.store import Entry, Store
from lampyris.errors import (
    AliasNotFound,
    ModelNotFound,
    ObjectChanged,
    ObjectExists,
    ObjectNotFound,
    VersionNotFound,
)

if TYPE_CHECKING:  # pathlib is 7 ms of a cold start, before the download begins
    from pathlib import Path


def list_models(store: Store) -> list[str]:
    """Name every model that has a version, in order."""
    return sorted({entry.key.split("/")[1] for entry in store.list(MODELS)})


def list_versions(store: Store, model: str) -> list[int]:
    """Number every version of a model, lowest first; empty if there is no such model."""
    return sorted(version_of_key(entry.key) for entry in store.list(versions_prefix(model)))


def list_aliases(store: Store, model: str) -> list[str]:
    """Name every alias of a model, in order."""
    prefix = aliases_prefix(model)
    return [entry.key.removeprefix(prefix).removesuffix(".json") for entry in store.list(prefix)]


def read_version(store: Store, model: str, version: int) -> Manifest:
    """Read what a version promises. Raises: VersionNotFound."""
    try:
        found = store.get(version_key(model, version))
    except ObjectNotFound:
        raise VersionNotFound(model=model, version=version) from None
    return msgspec.json.decode(found.data, type=Manifest)


def read_alias(store: Store, model: str, alias: str) -> tuple[Alias, str]:
    """Read an alias, and the etag that says later whether it has moved.

    Raises: ModelNotFound if the model has no version at all, else AliasNotFound.
    """
    try:
        found = store.get(alias_key(model, alias))
    except ObjectNotFound:
        if list_versions(store, model):
            raise AliasNotFound(model=model, alias=alias) from None
        raise ModelNotFound(model=model) from None
    return msgspec.json.decode(found.data, type=Alias), found.etag


def read_rejection(store: Store, model: str, upload: str) -> Rejection | None:
    """Read why an upload was refused; None if it was not."""
    try:
        found = store.get(rejected_key(model, upload))
    except ObjectNotFound:
        return None
    return msgspec.json.decode(found.data, type=Rejection)


def write_rejection(store: Store, rejection: Rejection) -> None:
    store.put(rejected_key(rejection.model, rejection.upload), msgspec.json.encode(rejection))


def find_upload(store: Store, model: str, upload: str, since: datetime | None = None) -> Manifest | None:
    """Find the version that was made from an upload.

    A version is younger than what it was made from, so only those written at `since` or later are read; all,
    if the upload's own time is not known.
    """
    return _made_from(store, model, upload, _written_since(store.list(versions_prefix(model)), since))


def _written_since(entries: Iterator[Entry] | list[Entry], since: datetime | None) -> list[int]:
    return sorted(
        version_of_key(entry.key) for entry in entries if since is None or entry.modified_at >= since
    )


def _made_from(store: Store, model: str, upload: str, versions: list[int]) -> Manifest | None:
    manifests = (read_version(store, model, version) for version in versions)
    return next((manifest for manifest in manifests if manifest.upload == upload), None)


def put_blob(store: Store, source: "bytes | Path") -> Blob:
    """Put immutable bytes under their own digest, unless they stand there. A file is never held whole."""
    blob = digest_blob(source)
    key = blob_key(blob.digest)
    try:
        store.size_bytes(key)
    except ObjectNotFound:
        store.put(key, source)  # a race is harmless: whoever writes this key writes these bytes
    return blob


def digest_blob(source: "bytes | Path") -> Blob:
    """Digest bytes or a file, whole and part by part."""
    import hashlib  # noqa: PLC0415 - 4 ms of a cold start, and for who publishes

    from blake3 import blake3  # noqa: PLC0415 - as above

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


def _parts(source: "bytes | Path") -> Iterator[bytes | memoryview]:
    if isinstance(source, bytes):
        for start in range(0, len(source), PART_SIZE_BYTES):
            yield memoryview(source)[start : start + PART_SIZE_BYTES]
        return
    with source.open("rb") as file:
        while part := file.read(PART_SIZE_BYTES):
            yield part


def commit_version(store: Store, draft: Manifest, since: datetime | None) -> Manifest:
    """Commit a draft as the model's next version, once for each upload; `draft.version` is not used.

    Numbers are dense. Two deliveries of one upload, racing or months apart, make one version: at the moment a
    manifest is created, every lower number exists and has been looked at, here or in `find_upload`'s listing.
    """
    entries = list(store.list(versions_prefix(draft.model)))
    made = _made_from(store, draft.model, draft.upload, _written_since(entries, since))
    if made is not None:
        return made
    version = max((version_of_key(entry.key) for entry in entries), default=0) + 1
    while True:
        manifest = msgspec.structs.replace(draft, version=version)
        try:
            store.create(version_key(draft.model, version), msgspec.json.encode(manifest))
        except ObjectExists:
            try:
                winner = read_version(store, draft.model, version)
            except VersionNotFound:
                continue  # S3 refuses also while another write is under way: ask for this number again
            if winner.upload == draft.upload:
                return winner
            version += 1
        else:
            return manifest


def publish_to_alias(
    store: Store, manifest: Manifest, *, alias: str, changed_by: str, reason: str, now: datetime
) -> Alias:
    """Point an alias at a version, unless publishing has pointed it at this one or a newer one before.

    So of two racing uploads the newer wins, and an upload delivered again undoes no rollback.
    """
    from hashlib import sha256  # noqa: PLC0415 - 4 ms of a cold start, and for who publishes

    key = alias_key(manifest.model, alias)
    while True:
        try:
            found = store.get(key)
        except ObjectNotFound:
            found = None
        current = None if found is None else msgspec.json.decode(found.data, type=Alias)
        if current is not None and manifest.version <= current.newest_published:
            return current
        moved = Alias(
            model=manifest.model,
            alias=alias,
            revision=1 if current is None else current.revision + 1,
            routes=(Route(weight=100, manifest=manifest),),
            newest_published=manifest.version,
            changed_at=now,
            changed_by=changed_by,
            reason=reason,
            previous=None if found is None else sha256(found.data).hexdigest(),
        )
        try:
            if found is None:
                store.create(key, msgspec.json.encode(moved))
            else:
                store.replace(key, msgspec.json.encode(moved), found.etag)
        except (ObjectExists, ObjectChanged):
            continue
        return moved
