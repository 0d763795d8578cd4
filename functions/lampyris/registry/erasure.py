"""Erase a model beyond recovery: all that was ever written of it, in every generation that the bucket keeps.

Versions are marked first, so that no alias can be pointed at them any more; then aliases go, with their
revisions; then each version becomes a tombstone that says no more than its number. Only then the generations
go, and the blobs. Whoever publishes meanwhile makes the next version: it is erased too if it is found in
time, or else stays, whole.
"""

from collections.abc import Iterable, Iterator
from contextlib import suppress
from datetime import datetime
from secrets import randbits

import msgspec

from lampyris.domain.layout import (
    INBOX,
    MODELS,
    RESERVATIONS,
    SHADOW,
    SHADOWED,
    alias_key,
    aliases_prefix,
    revisions_prefix,
    version_key,
    version_of_key,
    versions_prefix,
)
from lampyris.domain.manifest import Alias, Change, Manifest, Tombstone
from lampyris.domain.names import check_model_name
from lampyris.domain.sealed import seal, unseal
from lampyris.domain.store import Generation, Store
from lampyris.errors import DocumentDamaged, ModelNotFound, ObjectChanged, VersionClosing, VersionDeleted
from lampyris.registry.changes import Author, is_settled
from lampyris.registry.collection import RESERVED_FOR, remove, sweep
from lampyris.registry.documents import decode_version, list_versions, read_aliases
from lampyris.registry.moves import Standing, find_alias, settle_alias
from lampyris.registry.operations import (
    MayGoOn,
    Progress,
    TimeIsOver,
    begin_operation,
    check_time,
    end_operation,
    find_operation,
    go_on,
    tell_nobody,
)
from lampyris.registry.reading import read_ahead
from lampyris.registry.versions import find_upload, open_version

ERASE = "erase"


class Erased(msgspec.Struct, frozen=True, kw_only=True):
    """What went: versions, and writings of objects (of documents, uploads and blobs) with their bytes.

    `spared` blobs are reserved by a publish that is under way, of whichever model; if it died, a collection
    removes them a day later. `done` is False if the time was over before the end: erase again.
    """

    versions: int = 0
    objects: int = 0
    bytes: int = 0
    spared: int = 0
    done: bool = False


def erase(
    store: Store,
    model: str,
    *,
    author: Author,
    now: datetime,
    may_go_on: MayGoOn = go_on,
    progress: Progress = tell_nobody,
) -> Erased:
    """Erase a model; its numbers stay taken, and its name may be published to again.

    All blobs that nothing names go with it, as a version that was deleted before does not tell its own.
    Raises: InvalidName; ModelNotFound if nothing is there; KeyReused.
    """
    check_model_name(model)
    if find_operation(store, author.key) is None and not any(_generations(store, model)):
        raise ModelNotFound(model=model)
    operation = begin_operation(store, author, ERASE, model=model, at=now)
    if operation.outcome is not None:
        return msgspec.convert(operation.outcome, Erased)
    try:
        versions = _take_down(store, model, operation.change, may_go_on)
        doomed = _doomed(store, model, now, may_go_on)
    except TimeIsOver:
        return Erased()
    removed = remove(store, doomed, may_go_on=may_go_on, progress=progress)
    erased = Erased(versions=versions, objects=len(removed), bytes=sum(one.size_bytes for one in removed))
    if len(removed) < len(doomed):
        return erased
    swept = sweep(store, older_than=None, now=now, may_go_on=may_go_on, progress=progress)
    erased = msgspec.structs.replace(
        erased,
        objects=erased.objects + swept.objects,
        bytes=erased.bytes + swept.bytes,
        spared=swept.spared,
        done=swept.done,
    )
    if erased.done:
        end_operation(store, operation, erased)
    return erased


def _generations(store: Store, model: str) -> Iterator[Generation]:
    """Yield every writing of everything that stands under the model's name."""
    for prefix in (MODELS, INBOX, "rejected/", SHADOW, SHADOWED, RESERVATIONS):
        yield from store.generations(f"{prefix}{model}/")


def _take_down(store: Store, model: str, change: Change, may_go_on: MayGoOn) -> int:
    """Leave nothing of a model to read or to point at; return how many versions became tombstones.

    Raises: TimeIsOver.
    """
    while True:
        closed = list_versions(store, model)
        for version, read in zip(closed, _read_all(store, model, closed, may_go_on), strict=True):
            if _is_open(read):
                check_time(may_go_on)
                _close(store, model, version, change)
        for alias in _aliases(store, model):
            check_time(may_go_on)
            if not _retire(store, model, alias, set(closed), change):
                break  # it names a version that was published since: that one is to be closed as well
        else:
            buried = []
            for version, read in zip(closed, _read_all(store, model, closed, may_go_on), strict=True):
                tombstone = _erased(read)
                if tombstone is None:
                    check_time(may_go_on)
                    tombstone = _bury(store, model, version, change)
                buried.append(tombstone)
            if None not in buried:
                return sum(tombstone.deleted == change for tombstone in buried if tombstone is not None)


class _Read(msgspec.Struct, frozen=True, kw_only=True):
    """A version as it is stored; one that cannot be read has no document, and is erased as well."""

    document: Manifest | Tombstone | None
    fence: int
    etag: str


def _read(store: Store, model: str, version: int) -> _Read:
    found = store.get(version_key(model, version))
    try:
        sealed = unseal(found.data)
        return _Read(document=decode_version(sealed), fence=sealed.fence, etag=found.etag)
    except DocumentDamaged:
        return _Read(document=None, fence=0, etag=found.etag)


def _read_all(store: Store, model: str, versions: Iterable[int], may_go_on: MayGoOn) -> Iterator[_Read]:
    """Yield versions as they are, read ahead of whoever looks at them. Raises: TimeIsOver."""
    return read_ahead(lambda version: _read(store, model, version), versions, may_go_on)


def _close(store: Store, model: str, version: int, change: Change) -> None:
    """Mark a version, so that no alias is pointed at it any more; what happened to it before gets audited."""
    while True:
        read = _read(store, model, version)
        if not isinstance(read.document, Manifest) or not _is_open(read):
            return
        if read.document.closing is None:
            with suppress(VersionClosing, VersionDeleted):  # somebody was quick
                open_version(store, model, version)
        marked = seal(msgspec.structs.replace(read.document, closing=change), fence=read.fence + 1)
        with suppress(ObjectChanged):
            store.replace(version_key(model, version), marked.data, read.etag)


def _is_open(read: _Read) -> bool:
    """Tell whether there is a version that no erasure has marked, neither this one nor another beside it."""
    if not isinstance(read.document, Manifest):
        return False
    return read.document.closing is None or read.document.closing.action != ERASE


def _erased(read: _Read) -> Tombstone | None:
    """Return what an erasure has left of a version; None if there is more."""
    return read.document if isinstance(read.document, Tombstone) and read.document.upload is None else None


def _retire(store: Store, model: str, alias: str, closed: set[int], change: Change) -> bool:
    """Take an alias' routes away, and every writing of its revisions; False if it names what is not closed.

    What is left is as an alias that nobody has pointed anywhere yet: it may be pointed at a later version.
    """
    key = alias_key(model, alias)
    while True:
        revisions = list(store.generations(revisions_prefix(model, alias)))
        etag, standing = _read_alias(store, model, alias)
        if etag:
            if standing is not None and standing.alias.routes:
                if not _versions(standing.alias) <= closed:
                    return False
                settle_alias(store, standing.alias, standing.sealed)
            # Written to even if it pointed nowhere, in bytes that never stood there: whoever read it before
            # the versions were marked must read it again.
            unborn = Alias(model=model, alias=alias, revision=0, routes=(), change=change)
            try:
                store.replace(key, seal(unborn, fence=randbits(32)).data, etag)
            except ObjectChanged:
                continue
            revisions = list(store.generations(revisions_prefix(model, alias)))
            etag, standing = _read_alias(store, model, alias)
            if standing is None or standing.alias.routes:
                return False
        store.purge(revisions)
        # Whoever pointed it anywhere meanwhile may have taken an old revision for the first of its own.
        return not revisions or _read_alias(store, model, alias)[0] == etag


def _read_alias(store: Store, model: str, alias: str) -> tuple[str, Standing | None]:
    """Read an alias and its etag, "" if there is none; one that cannot be read has an etag alone."""
    try:
        standing = find_alias(store, model, alias)
    except DocumentDamaged:
        return store.get(alias_key(model, alias)).etag, None
    return ("", None) if standing is None else (standing.etag, standing)


def _versions(alias: Alias) -> set[int]:
    shadow = () if alias.shadow is None else (alias.shadow,)
    return {route.manifest.version for route in (*alias.routes, *shadow)}


def _bury(store: Store, model: str, version: int, change: Change) -> Tombstone | None:
    """Leave of a version no more than its number; None if somebody has taken the mark away."""
    read = _read(store, model, version)
    if _erased(read) is not None:
        return _erased(read)
    if isinstance(read.document, Tombstone) and read.document.upload is not None:
        if not is_settled(store, read.document.deleted, result=version):
            find_upload(store, model, read.document.upload)
    elif _is_open(read):
        return None
    tombstone = Tombstone(model=model, version=version, upload=None, deleted=change)
    try:
        store.replace(version_key(model, version), seal(tombstone).data, read.etag)
    except ObjectChanged:
        return None
    return tombstone


def _aliases(store: Store, model: str) -> list[str]:
    """Name every alias of a model that was ever written to."""
    aliases = (
        one.key.removeprefix(aliases_prefix(model)) for one in store.generations(aliases_prefix(model))
    )
    folder = f"{MODELS}{model}/revisions/"
    revisions = (one.key.removeprefix(folder).partition("/")[0] for one in store.generations(folder))
    return sorted({name.removesuffix(".json") for name in (*aliases, *revisions)})


def _doomed(store: Store, model: str, now: datetime, may_go_on: MayGoOn) -> list[Generation]:
    """List what is to go: all but tombstones, later versions and what names them, and running publishes.

    Raises: TimeIsOver.
    """
    versions = list_versions(store, model)
    reads = zip(versions, _read_all(store, model, versions, may_go_on), strict=True)
    erased = {version for version, read in reads if _erased(read) is not None}
    listed = list(_generations(store, model))
    pointing = {alias_key(model, alias.alias) for alias in read_aliases(store, model)}  # after the listing

    def stays(one: Generation) -> bool:
        if one.key.startswith(versions_prefix(model)):
            version = version_of_key(one.key)
            return version is not None and (one.is_latest or version not in erased)
        if one.key.startswith(aliases_prefix(model)):
            return one.is_latest and one.key in pointing
        if one.key.startswith(RESERVATIONS):
            return one.is_latest and one.size_bytes > 0 and one.modified_at >= now - RESERVED_FOR
        return one.key.startswith(f"{MODELS}{model}/revisions/")  # what is left is of aliases that point

    return [one for one in listed if not stays(one)]
