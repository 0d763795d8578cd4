"""Versions: committed once for each upload, numbered without a gap, deleted but never reused."""

from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime
from typing import Any, TypeVar

import msgspec

from lampyris.domain.layout import alias_key, version_key, version_of_key, versions_prefix
from lampyris.domain.manifest import Alias, Change, Manifest, Tombstone
from lampyris.domain.names import check_model_name
from lampyris.domain.sealed import Sealed, seal, unseal
from lampyris.domain.store import Entry as Listed
from lampyris.domain.store import Store
from lampyris.errors import (
    ObjectChanged,
    ObjectExists,
    ObjectNotFound,
    VersionClosing,
    VersionDeleted,
    VersionInUse,
    VersionNotFound,
)
from lampyris.registry.audit import Entry
from lampyris.registry.changes import Author, begin, check_same, find_settled, is_settled, renew, settle
from lampyris.registry.documents import (
    StoredVersion,
    list_aliases,
    read_revision,
    read_stored_version,
)

Made = TypeVar("Made", bound=Manifest | Tombstone)


def find_upload(
    store: Store, model: str, upload: str, since: datetime | None = None
) -> Manifest | Tombstone | None:
    """Find the version that was made from an upload, or what is left of it; its audit entry is seen to.

    A version is younger than what it was made from, so only those written at `since` or later are read; all,
    if the upload's own time is not known.
    """
    made = _made_from(store, model, upload, _written_since(store.list(versions_prefix(model)), since))
    return None if made is None else _settled(store, made.document, made.sealed)


def _written_since(entries: Iterator[Listed] | list[Listed], since: datetime | None) -> list[int]:
    recent = (entry.key for entry in entries if since is None or entry.modified_at >= since)
    return sorted(version for key in recent if (version := version_of_key(key)) is not None)


def _made_from(store: Store, model: str, upload: str, versions: list[int]) -> StoredVersion | None:
    documents = (read_stored_version(store, model, version) for version in versions)
    return next((read for read in documents if read.document.upload == upload), None)


def commit_version(store: Store, draft: Manifest, since: datetime | None) -> Manifest | Tombstone:
    """Commit a draft as the model's next version, once for each upload; `draft.version` is not used.

    Numbers are dense. Two deliveries of one upload, racing or months apart, make one version: at the moment a
    manifest is created, every lower number exists and has been looked at, here or in `find_upload`'s listing.
    Return what was made from the upload before, if something was: a Tombstone if it was deleted since.
    """
    published = renew(store, draft.published)  # trying a model takes its time
    entries = list(store.list(versions_prefix(draft.model)))
    made = _made_from(store, draft.model, draft.upload, _written_since(entries, since))
    if made is not None:
        return _settled(store, made.document, made.sealed)
    version = max((number for entry in entries if (number := version_of_key(entry.key))), default=0) + 1
    while True:
        manifest = msgspec.structs.replace(draft, version=version, published=published)
        sealed = seal(manifest)
        try:
            store.create(version_key(draft.model, version), sealed.data)
        except ObjectExists:
            try:
                winner = read_stored_version(store, draft.model, version)
            except VersionNotFound:
                continue  # S3 refuses also while another write is under way: ask for this number again
            if winner.document.upload == draft.upload:
                return _settled(store, winner.document, winner.sealed)
            version += 1
        else:
            return _settled(store, manifest, sealed)


def open_version(store: Store, model: str, version: int) -> Manifest:
    """Read a version to point an alias at it; if its publishing was interrupted, it gets into the audit now.

    Raises: VersionNotFound, VersionDeleted, VersionClosing, DocumentDamaged.
    """
    read = read_stored_version(store, model, version)
    if isinstance(read.document, Tombstone):
        raise VersionDeleted(model=model, version=version)
    if read.document.closing is not None:
        raise VersionClosing(model=model, version=version)
    return _settled(store, read.document, read.sealed)


def _settled(store: Store, document: Made, sealed: Sealed) -> Made:
    """Return a version, once the rest of its publishing or deletion is written down, whoever began it."""
    details: dict[str, Any] = {}
    if isinstance(document, Tombstone):
        if document.upload is None:  # its model was erased, which has an entry of its own
            return document
        change = document.deleted
    elif document.closing is None:
        change = document.published
        details = {
            "upload": document.upload,
            "artifact": document.artifact.digest,
            "files": document.evidence.files,
        }
    else:  # it was settled before it was marked
        return document
    if not is_settled(store, change, result=document.version):
        entry = Entry(
            number=0,
            change=change,
            model=document.model,
            subject=f"version {document.version}",
            document=sealed.digest,
            details=details,
        )
        settle(store, entry, result=document.version)
    return document


def delete_version(store: Store, model: str, version: int, *, author: Author, now: datetime) -> Tombstone:
    """Delete a version, unless an alias names it or would return to it; its number stays taken.

    First it is marked, then every alias is written to, then it goes: a move of an alias that was decided
    before the mark fails, and one that is decided after it sees the mark.
    Raises: VersionNotFound, VersionDeleted, VersionInUse, KeyReused.
    """
    key = version_key(check_model_name(model), version)
    change = begin(store, author, "delete", about=(model, version), at=now)
    while True:
        was_done = find_settled(store, change) is not None
        read = read_stored_version(store, model, version)
        if isinstance(read.document, Tombstone):
            _settled(store, read.document, read.sealed)
            if read.document.deleted.id != change.id:
                raise VersionDeleted(model=model, version=version)
            check_same(change, read.document.deleted.fingerprint)
            return read.document
        if was_done:  # and undone since, by whoever restored a backup
            raise VersionDeleted(model=model, version=version)
        if read.document.closing is None:
            _check_unused(store, model, version)  # so that what is in use is not even marked
            _settled(store, read.document, read.sealed)
            with suppress(ObjectChanged):
                store.replace(key, _marked(read, change), read.etag)
            continue
        try:
            for alias in list_aliases(store, model):
                _fence(store, model, version, alias)
        except VersionInUse:
            with suppress(ObjectChanged):
                store.replace(key, _marked(read, None), read.etag)
            raise
        tombstone = Tombstone(model=model, version=version, upload=read.document.upload, deleted=change)
        buried = seal(tombstone)
        try:
            store.replace(key, buried.data, read.etag)
        except ObjectChanged:
            continue
        return _settled(store, tombstone, buried)


def _marked(read: StoredVersion, closing: Change | None) -> bytes:
    document = msgspec.structs.replace(read.document, closing=closing)
    return seal(document, fence=read.sealed.fence + 1).data


def _check_unused(store: Store, model: str, version: int) -> None:
    for name in list_aliases(store, model):
        with suppress(ObjectNotFound):  # erased meanwhile
            alias = unseal(store.get(alias_key(model, name)).data).decode(Alias)
            _check_does_not_name(store, alias, version)


def _fence(store: Store, model: str, version: int, name: str) -> None:
    """Write to an alias, so that whoever read it before must read it again.

    Raises: VersionInUse.
    """
    key = alias_key(model, name)
    while True:
        try:
            found = store.get(key)
        except ObjectNotFound:  # erased meanwhile
            return
        sealed = unseal(found.data)
        _check_does_not_name(store, sealed.decode(Alias), version)
        try:
            store.replace(key, sealed.fenced().data, found.etag)
        except ObjectChanged:
            continue
        return


def _check_does_not_name(store: Store, alias: Alias, version: int) -> None:
    """Raises: VersionInUse."""
    uses = {"routes requests to": _versions(alias)}
    if alias.shadow is not None:
        uses["copies requests to"] = {alias.shadow.manifest.version}
    if alias.before is not None:
        former = read_revision(store, alias.model, alias.alias, alias.before)
        uses["would roll back to"] = _versions(former)
    for use, versions in uses.items():
        if version in versions:
            raise VersionInUse(model=alias.model, version=version, alias=alias.alias, use=use)


def _versions(alias: Alias) -> set[int]:
    return {route.manifest.version for route in alias.routes}
