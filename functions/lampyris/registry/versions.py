"""Versions: committed once for each upload, numbered without a gap, deleted but never reused."""

from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime

import msgspec

from lampyris.domain.layout import alias_key, version_key, version_of_key, versions_prefix
from lampyris.domain.manifest import Alias, Manifest, Tombstone
from lampyris.domain.names import check_model_name
from lampyris.domain.sealed import Sealed, seal, unseal
from lampyris.domain.store import Entry as Listed
from lampyris.domain.store import Store
from lampyris.errors import (
    ObjectChanged,
    ObjectExists,
    ObjectNotFound,
    VersionDeleted,
    VersionInUse,
    VersionNotFound,
)
from lampyris.registry.audit import Entry
from lampyris.registry.changes import Author, begin, check_same, find_settled, settle
from lampyris.registry.documents import decode_version, find_version, list_aliases, read_revision


def find_upload(
    store: Store, model: str, upload: str, since: datetime | None = None
) -> Manifest | Tombstone | None:
    """Find the version that was made from an upload, or what is left of it.

    A version is younger than what it was made from, so only those written at `since` or later are read; all,
    if the upload's own time is not known.
    """
    return _made_from(store, model, upload, _written_since(store.list(versions_prefix(model)), since))


def _written_since(entries: Iterator[Listed] | list[Listed], since: datetime | None) -> list[int]:
    recent = (entry.key for entry in entries if since is None or entry.modified_at >= since)
    return sorted(version for key in recent if (version := version_of_key(key)) is not None)


def _made_from(store: Store, model: str, upload: str, versions: list[int]) -> Manifest | Tombstone | None:
    documents = (find_version(store, model, version) for version in versions)
    return next((document for document in documents if document.upload == upload), None)


def commit_version(store: Store, draft: Manifest, since: datetime | None) -> Manifest | Tombstone:
    """Commit a draft as the model's next version, once for each upload; `draft.version` is not used.

    Numbers are dense. Two deliveries of one upload, racing or months apart, make one version: at the moment a
    manifest is created, every lower number exists and has been looked at, here or in `find_upload`'s listing.
    Return what was made from the upload before, if something was: a Tombstone if it was deleted since.
    """
    entries = list(store.list(versions_prefix(draft.model)))
    made = _made_from(store, draft.model, draft.upload, _written_since(entries, since))
    if made is not None:
        return _settled(store, made)
    version = max((number for entry in entries if (number := version_of_key(entry.key))), default=0) + 1
    while True:
        manifest = msgspec.structs.replace(draft, version=version)
        sealed = seal(manifest)
        try:
            store.create(version_key(draft.model, version), sealed.data)
        except ObjectExists:
            try:
                winner = find_version(store, draft.model, version)
            except VersionNotFound:
                continue  # S3 refuses also while another write is under way: ask for this number again
            if winner.upload == draft.upload:
                return _settled(store, winner)
            version += 1
        else:
            settle_version(store, manifest, sealed)
            return manifest


def _settled(store: Store, made: Manifest | Tombstone) -> Manifest | Tombstone:
    if isinstance(made, Manifest):
        settle_version(store, made, seal(made))
    return made


def settle_version(store: Store, manifest: Manifest, sealed: Sealed) -> None:
    """Write down the rest of a version's publishing."""
    entry = Entry(
        number=0,
        change=manifest.published,
        model=manifest.model,
        subject=f"version {manifest.version}",
        document=sealed.digest,
        details={
            "upload": manifest.upload,
            "artifact": manifest.artifact.digest,
            "files": manifest.evidence.files,
        },
    )
    settle(store, entry, result=manifest.version)


def delete_version(store: Store, model: str, version: int, *, author: Author, now: datetime) -> Tombstone:
    """Delete a version, unless an alias names it or would return to it; its number stays taken.

    First it is marked, then every alias is written to, then it goes: a move of an alias that was decided
    before the mark fails, and one that is decided after it sees the mark.
    Raises: VersionNotFound, VersionDeleted, VersionInUse, KeyReused.
    """
    key = version_key(check_model_name(model), version)
    change = begin(store, author, "delete", about=(model, version), at=now)
    while True:
        try:
            found = store.get(key)
        except ObjectNotFound:
            raise VersionNotFound(model=model, version=version) from None
        sealed = unseal(found.data)
        document = decode_version(sealed)
        if isinstance(document, Tombstone):
            return _already_deleted(store, document, sealed, change.id, change.fingerprint)
        if find_settled(store, change) is not None:
            raise VersionDeleted(model=model, version=version)
        _check_unused(store, model, version)  # so that what is in use is not even marked
        if document.closing is None:
            settle_version(store, document, sealed)
            marked = seal(msgspec.structs.replace(document, closing=change))
            with suppress(ObjectChanged):
                store.replace(key, marked.data, found.etag)
            continue
        try:
            for alias in list_aliases(store, model):
                _fence(store, model, version, alias)
        except VersionInUse:
            _reopen(store, key, document, found.etag)
            raise
        tombstone = Tombstone(model=model, version=version, upload=document.upload, deleted=change)
        buried = seal(tombstone)
        try:
            store.replace(key, buried.data, found.etag)
        except ObjectChanged:
            continue
        settle_tombstone(store, tombstone, buried)
        return tombstone


def _already_deleted(
    store: Store, tombstone: Tombstone, sealed: Sealed, change_id: str, fingerprint: str
) -> Tombstone:
    settle_tombstone(store, tombstone, sealed)
    if tombstone.deleted.id != change_id:
        raise VersionDeleted(model=tombstone.model, version=tombstone.version)
    check_same(tombstone.deleted, fingerprint)
    return tombstone


def settle_tombstone(store: Store, tombstone: Tombstone, sealed: Sealed) -> None:
    """Write down the rest of a version's deletion."""
    entry = Entry(
        number=0,
        change=tombstone.deleted,
        model=tombstone.model,
        subject=f"version {tombstone.version}",
        document=sealed.digest,
    )
    settle(store, entry, result=tombstone.version)


def _check_unused(store: Store, model: str, version: int) -> None:
    for name in list_aliases(store, model):
        alias = unseal(store.get(alias_key(model, name)).data).decode(Alias)
        _check_does_not_name(store, alias, version)


def _fence(store: Store, model: str, version: int, name: str) -> None:
    """Write to an alias, so that whoever read it before must read it again.

    Raises: VersionInUse.
    """
    key = alias_key(model, name)
    while True:
        found = store.get(key)
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


def _reopen(store: Store, key: str, document: Manifest, etag: str) -> None:
    with suppress(ObjectChanged):
        store.replace(key, seal(msgspec.structs.replace(document, closing=None)).data, etag)
