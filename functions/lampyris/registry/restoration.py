"""Restore a backup, or one model of it: verified by digest, in an order in which nothing is ever half there.

Into an empty registry, or the one that it was made of, the audit comes along. Any other registry keeps its
own, which is told of each version and alias that it was restored.
"""

from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime
from typing import Any, Literal

import msgspec

from lampyris.domain.layout import (
    AUDIT_HEAD,
    BLOBS,
    MODELS,
    audit_key,
    change_key,
    rejected_prefix,
    revision_key,
    version_key,
)
from lampyris.domain.layout import version_of_key as number_of_version
from lampyris.domain.manifest import Alias, Change, Manifest, Tombstone
from lampyris.domain.names import check_model_name
from lampyris.domain.sealed import Sealed, seal, unseal
from lampyris.domain.store import Store
from lampyris.errors import (
    CopyDamaged,
    DocumentDamaged,
    KeyReused,
    ModelNotFound,
    NoBackup,
    ObjectChanged,
    ObjectExists,
    ObjectNotFound,
    RestoreConflict,
)
from lampyris.registry.audit import Entry, Head, append_once, find_end, read_entry
from lampyris.registry.blobs import release, reserve
from lampyris.registry.changes import Author, Settled, begin, create_once, find_settled
from lampyris.registry.collection import RESERVED_FOR
from lampyris.registry.copying import INDEX, Copied, Copy, Index, copy_blob, digest_of, read_index, read_list
from lampyris.registry.documents import decode_version
from lampyris.registry.operations import (
    MayGoOn,
    Operation,
    Progress,
    TimeIsOver,
    begin_operation,
    check_time,
    end_operation,
    find_operation,
    go_on,
    tell_audit,
    tell_nobody,
    write_down,
    write_reached,
)
from lampyris.registry.reading import read_ahead, read_each
from lampyris.registry.snapshot import blobs_of, routes_of

Kind = Literal["blobs", "versions", "revisions", "aliases", "rejected", "audit", "changes"]
# Each after what it names.
_ORDER: tuple[Kind, ...] = ("blobs", "versions", "revisions", "aliases", "rejected", "audit", "changes")
_BACKUP = "backup"
_NOTED_EVERY = 16  # objects: a restore that dies copies so many again


def restore(
    source: Store,
    store: Store,
    *,
    model: str | None = None,
    author: Author,
    now: datetime,
    progress: Progress = tell_nobody,
    may_go_on: MayGoOn = go_on,
) -> Copied:
    """Restore what the backup in `source` holds, or one model of it, into the registry in `store`.

    What is there already, and is the same, is skipped; nothing else is overwritten.
    Raises: NoBackup if it is none, or not complete; CopyDamaged if it was altered; ModelNotFound if it does
        not hold the model; RestoreConflict, before anything is written, if the registry holds something else.
    """
    found = find_operation(store, author.key)
    if found is not None and found.outcome is not None:
        return msgspec.convert(found.outcome, Copied)
    index = _read_complete(source)
    model = index.model if model is None else check_model_name(model)
    copies = {copy.key: copy for copy in read_list(source, index)}
    takes_audit = model is None and _is_its_own(store, copies, audited=index.audited)
    restoration = _Restoration(source, store, copies)
    chosen = restoration.choose(model, takes_audit=takes_audit)
    if found is None or not found.reached:
        restoration.check_free(chosen)
    about = (model, index.list)
    if takes_audit:  # its entry is to follow those that are restored
        change = begin(store, author, "restore", about=about, at=now)
        change = msgspec.structs.replace(change, audited=max(change.audited, index.audited))
        operation = write_down(store, Operation(model=model, change=change))
    else:
        operation = begin_operation(store, author, "restore", model=model, about=about, at=now)
        if not operation.reached:
            try:  # first, as who finds a document settles what it holds
                restoration.tell_audit(chosen, operation, may_go_on)
            except TimeIsOver:
                return Copied()
    owner = f"restore/{digest_of(author.key.encode())}"
    reserved = tuple(copy.digest for copy in chosen if _kind(copy) == "blobs")
    reserve(store, owner, reserved)
    copied = _copy(restoration, chosen, operation, now=now, progress=progress, may_go_on=may_go_on)
    if not copied.done:
        return copied
    if takes_audit:
        last = unseal(store.get(audit_key(index.audited)).data)
        create_once(store, AUDIT_HEAD, seal(Head(number=index.audited, digest=last.digest)).data)
        tell_audit(store, operation)
    release(store, owner)
    end_operation(store, operation, copied)
    return copied


def _read_complete(source: Store) -> Index:
    index = read_index(source)
    if index is None:
        raise NoBackup(reason=f"There is no backup: nothing stands at {INDEX}.")
    if index.completed_at is None:
        raise NoBackup(
            reason=f"The backup that was begun at {index.begun_at:%Y-%m-%d %H:%M:%S} is not complete. "
            "Run it again to complete it."
        )
    return index


def _is_its_own(store: Store, copies: dict[str, Copy], *, audited: int) -> bool:
    """Tell whether a registry has the audit that the backup has, as far as both go, or none yet."""
    last = min(find_end(store), audited)
    return not last or digest_of(store.get(audit_key(last)).data) == copies[audit_key(last)].digest


def _kind(copy: Copy) -> Kind:
    folders = copy.key.split("/")
    kind: Kind = msgspec.convert(folders[2] if folders[0] == "models" else folders[0], Kind)
    return kind


def _rank(copy: Copy) -> tuple[int, int, str]:
    """Sort objects so that each comes after what it names; versions by number, so that they are dense."""
    return _ORDER.index(_kind(copy)), number_of_version(copy.key) or 0, copy.key


def _copy(
    restoration: "_Restoration",
    chosen: Sequence[Copy],
    operation: Operation,
    *,
    now: datetime,
    progress: Progress,
    may_go_on: MayGoOn,
) -> Copied:
    """Copy what is chosen, from where an earlier call got to, if its blobs have been reserved since."""
    keys = [copy.key for copy in chosen]
    is_fresh = now - operation.change.at < RESERVED_FOR / 2
    reached = keys.index(operation.reached) + 1 if operation.reached and is_fresh else 0
    counts = dict.fromkeys(("documents", "blobs", "bytes", "skipped"), 0)
    for copy in chosen[reached:]:
        if not may_go_on():
            break
        became = restoration.copy(copy)
        counts[became] += 1
        counts["bytes"] += 0 if became == "skipped" else copy.size_bytes
        reached += 1
        if reached % _NOTED_EVERY == 0:
            write_reached(restoration.store, operation, copy.key)
        progress(reached, len(chosen))
    is_done = reached == len(chosen)
    if reached and not is_done:
        write_reached(restoration.store, operation, keys[reached - 1])
    return Copied(**counts, done=is_done)


class _Restoration(msgspec.Struct, frozen=True):
    """A backup, by the keys of its copies, on its way into a registry."""

    source: Store
    store: Store
    copies: dict[str, Copy]

    def choose(self, model: str | None, *, takes_audit: bool) -> list[Copy]:
        """Choose what to restore, each after what it names. Raises: ModelNotFound, CopyDamaged."""
        copies = list(self.copies.values())
        if model is not None:
            prefixes = (f"{MODELS}{model}/", rejected_prefix(model))
            copies = [copy for copy in copies if copy.key.startswith(prefixes)]
            versions = (copy for copy in copies if _kind(copy) == "versions")
            documents = read_each(lambda copy: decode_version(unseal(self.read(copy))), versions)
            if not documents:
                raise ModelNotFound(model=model)
            manifests = [document for document in documents if isinstance(document, Manifest)]
            digests = {blob.digest for manifest in manifests for blob in blobs_of(manifest)}
            copies += [self.copies[f"{BLOBS}{digest}"] for digest in digests]
        kinds = _ORDER if takes_audit else _ORDER[:-2]
        return sorted((copy for copy in copies if _kind(copy) in kinds), key=_rank)

    def check_free(self, chosen: Sequence[Copy]) -> None:
        """Raises: RestoreConflict if a document stands where the backup has another."""
        documents = [copy for copy in chosen if _kind(copy) in ("versions", "revisions", "aliases")]
        models = {copy.key.split("/")[1] for copy in documents}
        standing = {entry.key for model in models for entry in self.store.list(f"{MODELS}{model}/")}
        there = [copy for copy in documents if copy.key in standing]
        for copy, is_free in zip(there, read_ahead(self._is_free, there), strict=True):
            if not is_free:
                raise RestoreConflict(key=copy.key)

    def _is_free(self, copy: Copy) -> bool:
        """Tell whether a document that stands there is in the way of none."""
        if self._is_restored(copy):
            return True
        return _kind(copy) == "aliases" and _is_unborn(self.store.get(copy.key).data)

    def copy(self, copy: Copy) -> Literal["documents", "blobs", "skipped"]:
        """Restore an object; say what it was, or that it was there. Raises: CopyDamaged, RestoreConflict."""
        kind = _kind(copy)
        if kind == "blobs":
            copy_blob(self.source, self.store, copy, place=_BACKUP)
            return "blobs"
        if kind == "aliases":
            return self._copy_alias(copy)
        while True:
            try:
                self.store.create(copy.key, self.read(copy))
            except ObjectExists:
                if kind in ("changes", "rejected"):
                    return "skipped"  # what stands there may say more by now
                with suppress(ObjectNotFound):  # S3 refuses also while another write is under way
                    if self._is_restored(copy):
                        return "skipped"
                    raise RestoreConflict(key=copy.key) from None
            else:
                return "documents"

    def tell_audit(self, chosen: Sequence[Copy], operation: Operation, may_go_on: MayGoOn) -> None:
        """Append an entry for each version and each alias; what aliases were before is chained to them.

        The changes that they hold are settled by that: another registry's audit tells of them.
        Raises: TimeIsOver.
        """
        change = operation.change
        documents = (copy for copy in chosen if _kind(copy) in ("versions", "aliases"))

        def look(copy: Copy) -> tuple[Sealed, Alias | Manifest | Tombstone, bool]:
            sealed = unseal(self.read(copy))
            document = sealed.decode(Alias) if _kind(copy) == "aliases" else decode_version(sealed)
            return sealed, document, self._is_told(document, change)

        for sealed, document, is_told in read_ahead(look, documents, may_go_on):
            if is_told:  # by an earlier call
                continue
            check_time(may_go_on)
            subject, made, result, details = _told(document)
            entry = Entry(
                number=0,
                change=change,
                model=document.model,
                subject=subject,
                document=sealed.digest,
                details=details,
            )
            number = append_once(self.store, entry).number
            settled = Settled(id=made.id, fingerprint=made.fingerprint, number=number, result=result)
            create_once(self.store, change_key(made.id), seal(settled).data)
            # The next entry comes later: those before it need not be looked through again.
            change = msgspec.structs.replace(change, audited=number)

    def _is_told(self, document: Alias | Manifest | Tombstone, change: Change) -> bool:
        """Tell whether the audit tells of a document that it is restored by this change."""
        subject, made, _, _ = _told(document)
        try:
            settled = find_settled(self.store, made)
        except KeyReused:  # here, the key stands for another change
            return False
        entry = None if settled is None else read_entry(self.store, settled.number)
        if entry is None:
            return False
        return (entry.change.id, entry.model, entry.subject) == (change.id, document.model, subject)

    def read(self, copy: Copy) -> bytes:
        """Read a document of the backup. Raises: CopyDamaged."""
        try:
            data = self.source.get(copy.key).data
        except ObjectNotFound:
            data = b""
        if digest_of(data) != copy.digest:
            raise CopyDamaged(key=copy.key, place=_BACKUP)
        return data

    def _copy_alias(self, copy: Copy) -> Literal["documents", "skipped"]:
        """Restore an alias, in two writes as any is made: it sees a deletion, or the deletion sees it."""
        sealed = unseal(self.read(copy))
        alias = sealed.decode(Alias)
        unborn = Alias(model=alias.model, alias=alias.alias, revision=0, routes=(), change=alias.change)
        create_once(self.store, copy.key, seal(unborn).data)
        standing = self.store.get(copy.key)
        if not _is_unborn(standing.data):
            if self._is_restored(copy):
                return "skipped"
            raise RestoreConflict(key=copy.key)
        for route in routes_of(alias):
            version = self.copies[version_key(alias.model, route.manifest.version)]
            if not self._is_restored(version):
                raise RestoreConflict(key=version.key)
        create_once(self.store, revision_key(alias.model, alias.alias, alias.revision), sealed.data)
        try:
            self.store.replace(copy.key, sealed.data, standing.etag)
        except ObjectChanged:
            if not self._is_restored(copy):  # by this very write, whose answer was lost
                raise RestoreConflict(key=copy.key) from None
        return "documents"

    def _is_restored(self, copy: Copy) -> bool:
        """Tell whether a document stands there as the backup has it, whatever its fence is."""
        data = self.store.get(copy.key).data
        if digest_of(data) == copy.digest:
            return True
        try:
            return unseal(data).digest == unseal(self.read(copy)).digest
        except DocumentDamaged:
            return False


def _told(document: Alias | Manifest | Tombstone) -> tuple[str, Change, int, dict[str, Any]]:
    """Return how the audit calls a document, the change that it holds, how that is found, and the details."""
    if isinstance(document, Alias):
        routes = {str(route.manifest.version): route.weight for route in document.routes}
        details = {"revision": document.revision, "routes": routes}
        return f"alias {document.alias}", document.change, document.revision, details
    change = document.deleted if isinstance(document, Tombstone) else document.published
    return f"version {document.version}", change, document.version, {}


def _is_unborn(alias: bytes) -> bool:
    """Tell whether an alias is there that nobody has pointed anywhere."""
    try:
        return not unseal(alias).decode(Alias).routes
    except DocumentDamaged:
        return False
