"""Collect garbage: remove blobs that nothing names, safely beside whoever publishes meanwhile.

A publisher reserves its blobs, puts them (a new writing each time), commits the document that names them, and
takes the reservation back. Here it goes the other way round: the writings are listed first, then the
reservations are read, then the documents, and exactly the listed writings go. A writing that was listed was
reserved before that: so its reservation is read, or, if it was taken back by then, the document is.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from itertools import groupby

import msgspec

from lampyris.domain.layout import BLOBS, RESERVATIONS, TUNING
from lampyris.domain.manifest import Artifact, Blob, Manifest
from lampyris.domain.store import Generation, Store
from lampyris.domain.tuned import Tuned
from lampyris.errors import ObjectNotFound
from lampyris.registry.blobs import Reservation
from lampyris.registry.changes import Author
from lampyris.registry.documents import find_version, list_models, list_versions, read_aliases
from lampyris.registry.operations import (
    MayGoOn,
    Progress,
    TimeIsOver,
    begin_operation,
    end_operation,
    go_on,
    tell_nobody,
)
from lampyris.registry.reading import read_ahead
from lampyris.registry.snapshot import routes_of

GRACE = timedelta(days=1)
# A publisher has 15 minutes from its reservation to its commit. One that died and is started again, days
# later perhaps, reserves and puts anew: so what an older reservation names is nobody's.
RESERVED_FOR = timedelta(days=1)
TUNED = "tuned/"
_PURGED_AT_ONCE = 1000


class Collected(msgspec.Struct, frozen=True, kw_only=True):
    """What was removed: blobs, and all in all so many writings of objects, of so many bytes.

    `spared` blobs are named by nothing, but too young, or reserved.

    `done` is False if the time was over before the end: collect again.
    """

    blobs: int = 0
    objects: int = 0
    bytes: int = 0
    spared: int = 0
    done: bool = False


class _Named(msgspec.Struct, frozen=True, kw_only=True):
    """What documents name: blobs by digest, artifacts likewise."""

    blobs: set[str]
    artifacts: set[str]

    def add(self, manifest: Manifest) -> None:
        self.add_artifact(manifest.artifact)
        self.artifacts.add(manifest.artifact.digest)
        if manifest.evidence.bill_of_materials is not None:
            self.blobs.add(manifest.evidence.bill_of_materials.digest)

    def add_artifact(self, artifact: Artifact) -> None:
        self.blobs.update(blob.digest for blob in blobs_of(artifact))


def blobs_of(artifact: Artifact) -> tuple[Blob, ...]:
    """Return the one or two blobs of an artifact."""
    return (artifact.graph,) if artifact.weights is None else (artifact.graph, artifact.weights)


def collect(
    store: Store,
    *,
    grace: timedelta = GRACE,
    author: Author,
    now: datetime,
    may_go_on: MayGoOn = go_on,
    progress: Progress = tell_nobody,
) -> Collected:
    """Remove blobs that no version names and that are older than `grace`, in all their generations.

    With them go forms of artifacts that no version names, and reservations of publishers that died.
    Raises: DocumentDamaged if a document cannot be read: nothing is removed, as it may name anything.
    """
    operation = begin_operation(
        store,
        author,
        "gc",
        model=None,
        about=(grace.total_seconds(),),
        at=now,
        details={"grace_s": grace.total_seconds()},
    )
    if operation.outcome is not None:
        return msgspec.convert(operation.outcome, Collected)
    collected = sweep(store, older_than=now - grace, now=now, may_go_on=may_go_on, progress=progress)
    if collected.done:
        end_operation(store, operation, collected)
    return collected


def sweep(
    store: Store, *, older_than: datetime | None, now: datetime, may_go_on: MayGoOn, progress: Progress
) -> Collected:
    """Remove what nothing names and nobody has reserved; only what is `older_than`, if that is given."""
    blobs = _by_key(store.generations(BLOBS))
    forms = [*store.generations(TUNED), *store.generations(TUNING)]
    reservations = list(store.generations(RESERVATIONS))
    reserved = _read_reserved(store, since=now - RESERVED_FOR)
    try:
        named = _read_named(store, may_go_on)
    except TimeIsOver:
        return Collected()
    unnamed = [writings for key, writings in blobs.items() if key.removeprefix(BLOBS) not in named.blobs]
    doomed = [
        writings
        for writings in unnamed
        if writings[0].key.removeprefix(BLOBS) not in reserved and _all_older(writings, older_than)
    ]
    orphans = [
        form
        for form in forms
        if form.key.split("/")[1] not in named.artifacts and _all_older([form], older_than)
    ]
    stale = [one for one in reservations if one.modified_at < now - RESERVED_FOR]
    # A form goes before its blobs: else somebody could find it without them.
    going = [*orphans, *(writing for writings in doomed for writing in writings), *stale]
    removed = remove(store, going, may_go_on=may_go_on, progress=progress)
    gone = {one.key for one in removed}
    return Collected(
        blobs=sum(writings[0].key in gone for writings in doomed),
        objects=len(removed),
        bytes=sum(one.size_bytes for one in removed),
        spared=len(unnamed) - len(doomed),
        done=len(removed) == len(going),
    )


def remove(
    store: Store, generations: Iterable[Generation], *, may_go_on: MayGoOn, progress: Progress
) -> list[Generation]:
    """Purge writings as long as there is time, and return those that went.

    What was overwritten goes first: if the latest went first, an older one would stand in its place.
    """
    going = sorted(generations, key=lambda one: one.is_latest)
    older = sum(not one.is_latest for one in going)
    start = 0
    while start < len(going) and may_go_on():
        end = min(start + _PURGED_AT_ONCE, older if start < older else len(going))
        store.purge(going[start:end])
        start = end
        progress(start, len(going))
    return going[:start]


def _by_key(generations: Iterable[Generation]) -> dict[str, list[Generation]]:
    return {key: list(found) for key, found in groupby(generations, lambda one: one.key)}


def _all_older(writings: Iterable[Generation], than: datetime | None) -> bool:
    return than is None or all(writing.modified_at <= than for writing in writings)


def _read_reserved(store: Store, *, since: datetime) -> set[str]:
    reserved: set[str] = set()
    for entry in store.list(RESERVATIONS):
        if entry.modified_at < since:
            continue
        try:
            found = store.get(entry.key)
        except ObjectNotFound:
            continue  # taken back: the document is there
        reserved.update(msgspec.json.decode(found.data, type=Reservation).digests)
    return reserved


def _read_named(store: Store, may_go_on: MayGoOn) -> _Named:
    """Read what versions name, what aliases embed, and what forms of artifacts name. Raises: TimeIsOver.

    What an alias embeds stands as a version as well, unless somebody removed that by hand: it answers still.
    """
    named = _Named(blobs=set(), artifacts=set())
    models = list_models(store)
    versions = ((model, version) for model in models for version in list_versions(store, model))
    for document in read_ahead(lambda place: find_version(store, *place), versions, may_go_on):
        if isinstance(document, Manifest):
            named.add(document)
    for aliases in read_ahead(lambda model: read_aliases(store, model), models, may_go_on):
        for route in (route for alias in aliases for route in routes_of(alias)):
            named.add(route.manifest)
    keys = (entry.key for entry in store.list(TUNED) if entry.key.split("/")[1] in named.artifacts)
    for form in read_ahead(lambda key: _read_form(store, key), keys, may_go_on):
        if form is not None:
            named.add_artifact(form)
    return named


def _read_form(store: Store, key: str) -> Artifact | None:
    """Read what a tuned document names; nothing if it is gone or damaged, as nobody uses it then."""
    try:
        return msgspec.json.decode(store.get(key).data, type=Tuned).artifact
    except (ObjectNotFound, msgspec.DecodeError, UnicodeDecodeError):
        return None
