"""Back a registry up while it is used: what changes meanwhile is read again, until the audit stands still.

A second backup to the same place copies what is new. Nothing is removed there: what a later backup does not
list any more stays, and belongs to it no longer.
"""

from collections.abc import Callable, Iterable
from contextlib import suppress
from datetime import datetime

import msgspec

from lampyris.domain.layout import audit_key, rejected_prefix
from lampyris.domain.names import check_model_name
from lampyris.domain.sealed import Sealed
from lampyris.domain.store import Store
from lampyris.errors import CopyDamaged, ModelNotFound, NoRoomForBackup, ObjectNotFound
from lampyris.registry.audit import find_end, read_entry
from lampyris.registry.changes import Author, Settled
from lampyris.registry.copying import (
    CHANGES,
    REJECTED,
    Copied,
    Copy,
    Index,
    copy_blob,
    copy_of_blob,
    digest_of,
    is_whole,
    read_index,
    read_list,
    write_index,
    write_list,
)
from lampyris.registry.documents import list_models, list_versions
from lampyris.registry.operations import (
    OPERATION_FILE,
    MayGoOn,
    Progress,
    TimeIsOver,
    begin_operation,
    check_time,
    end_operation,
    go_on,
    tell_nobody,
)
from lampyris.registry.reading import read_ahead
from lampyris.registry.snapshot import read_sealed, read_snapshot

_REGISTRY = "registry"


def back_up(
    store: Store,
    target: Store,
    *,
    model: str | None = None,
    author: Author,
    now: datetime,
    progress: Progress = tell_nobody,
    may_go_on: MayGoOn = go_on,
) -> Copied:
    """Copy a registry, or one model of it, to an empty bucket or folder, or to the backup that is there.

    Of one model, the audit is not copied: it is that of the whole registry. With the key of a backup that is
    done nothing is copied; to another target, which has none, it is made again.
    Raises: ModelNotFound; NoRoomForBackup; CopyDamaged if something in the registry is missing or altered.
    """
    if model is not None and not list_versions(store, check_model_name(model)):
        raise ModelNotFound(model=model)
    former = read_index(target)
    if former is None and any(target.list("")):
        raise NoRoomForBackup(
            reason="The target holds something that is no backup. Name an empty bucket or folder."
        )
    operation = begin_operation(store, author, "backup", model=model, at=now)
    index = Index(model=model, origin=read_sealed(store, audit_key(1)).digest, begun_at=now)
    if former is not None:
        if (former.model, former.origin) != (index.model, index.origin):
            of = "a whole registry" if former.model is None else f"model {former.model!r}"
            raise NoRoomForBackup(
                reason=f"The target holds a backup of {of}, or of another registry. Name another target."
            )
        if operation.outcome is not None and former.completed_at is not None:
            return msgspec.convert(operation.outcome, Copied)
        index = msgspec.structs.replace(index, list=former.list)
    write_index(target, index)
    copies = _Copies(store, target, index, progress=progress, may_go_on=may_go_on)
    try:
        audited = copies.add_all(model)
    except TimeIsOver:
        copies.write_down(index)
        return copies.copied
    copies.write_down(msgspec.structs.replace(index, completed_at=now, audited=audited))
    copied = msgspec.structs.replace(copies.copied, done=True)
    end_operation(store, operation, copied)
    return copied


class _Copies:
    """What belongs to a backup, by what it is of. What a former one lists and has is not copied."""

    def __init__(
        self, store: Store, target: Store, index: Index, *, progress: Progress, may_go_on: MayGoOn
    ) -> None:
        self._store = store
        self._target = target
        self._progress = progress
        self._may_go_on = may_go_on
        self._known: dict[str, Copy] = {}
        with suppress(CopyDamaged):  # then each object is looked at, and copied if it is not whole
            self._known = {copy.key: copy for copy in read_list(target, index)}
        self._standing = {entry.key: entry.size_bytes for entry in target.list("")}
        self._added: dict[str, dict[str, Copy]] = {}
        self._expected = 0
        self.copied = Copied()

    def add_all(self, model: str | None) -> int:
        """Copy everything, and return how many entries of the audit belong to it. Raises: TimeIsOver."""
        audited, changed = find_end(self._store), set(list_models(self._store))
        while changed:
            for name in sorted(changed if model is None else changed & {model}):
                self._add_model(name)
            end = find_end(self._store)
            changed = self._changed(range(audited + 1, end + 1))
            audited = end
        if model is not None:
            self._add_rejected(rejected_prefix(model))
            return 0
        self._add_rejected(REJECTED)
        self._add_audit(audited)
        return audited

    def write_down(self, index: Index) -> None:
        """Write the list of all that is there, and after it the index."""
        done = {key: copy for part in self._added.values() for key, copy in part.items()}
        if index.completed_at is None:
            done = self._known | done  # what a former backup listed need not be looked at again
        copies = [done[key] for key in sorted(done)]
        index = msgspec.structs.replace(
            index,
            copies=len(copies),
            size_bytes=sum(copy.size_bytes for copy in copies),
            list=write_list(self._target, copies),
        )
        write_index(self._target, index)

    def _changed(self, numbers: Iterable[int]) -> set[str]:
        entries = [read_entry(self._store, number) for number in numbers]
        return {entry.model for entry in entries if entry is not None and entry.model is not None}

    def _add_model(self, model: str) -> None:
        while True:
            snapshot = read_snapshot(self._store, model, self._may_go_on)
            self._added[model] = {}
            self._expected += len(snapshot.documents) + len(snapshot.blobs)
            try:
                for blob in snapshot.blobs:
                    self._add_blob(model, copy_of_blob(blob))
            except CopyDamaged:
                if read_snapshot(self._store, model, self._may_go_on) == snapshot:
                    raise
                continue  # it was deleted meanwhile
            for key, data in snapshot.documents.items():
                self._add_document(model, key, data)
            return

    def _add_rejected(self, prefix: str) -> None:
        def read(key: str) -> tuple[str, bytes] | None:
            with suppress(ObjectNotFound):
                return key, self._store.get(key).data
            return None

        keys = (entry.key for entry in self._store.list(prefix))
        for found in read_ahead(read, keys, self._may_go_on):
            if found is not None:
                self._add_document(REJECTED, *found)

    def _add_audit(self, audited: int) -> None:
        """Copy the audit up to an entry, and what became of the changes that it tells of."""
        self._expected += audited
        keys = [audit_key(number) for number in range(1, audited + 1)]
        keys += [entry.key for entry in self._store.list(CHANGES)]

        def read(key: str) -> Sealed | None:
            return None if self._is_for_good(key) else read_sealed(self._store, key)

        for key, found in zip(keys, read_ahead(read, keys, self._may_go_on), strict=True):
            if found is None:
                self._add(CHANGES, self._known[key], lambda: None)
            elif _is_told(key, found, audited):
                self._add_document(CHANGES, key, found.data)

    def _is_for_good(self, key: str) -> bool:
        """Tell whether a document never changes and is there: what is known of it is true still."""
        known = self._known.get(key)
        is_there = known is not None and self._standing.get(key) == known.size_bytes
        return is_there and not key.endswith(OPERATION_FILE)

    def _add_document(self, part: str, key: str, data: bytes) -> None:
        copy = Copy(key=key, digest=digest_of(data), size_bytes=len(data))
        if self._add(part, copy, lambda: self._target.put(key, data)):
            self.copied = msgspec.structs.replace(self.copied, documents=self.copied.documents + 1)

    def _add_blob(self, part: str, copy: Copy) -> None:
        if self._add(part, copy, lambda: copy_blob(self._store, self._target, copy, place=_REGISTRY)):
            self.copied = msgspec.structs.replace(self.copied, blobs=self.copied.blobs + 1)

    def _add(self, part: str, copy: Copy, write: Callable[[], None]) -> bool:
        """Have an object in the backup; return whether it had to be written. Raises: TimeIsOver."""
        check_time(self._may_go_on)
        is_there = self._standing.get(copy.key) == copy.size_bytes and (
            self._known.get(copy.key) == copy or is_whole(self._target, copy)
        )
        if not is_there:
            write()
            self._standing[copy.key] = copy.size_bytes
        self._known[copy.key] = copy
        self._added.setdefault(part, {})[copy.key] = copy
        self.copied = msgspec.structs.replace(
            self.copied,
            bytes=self.copied.bytes + (0 if is_there else copy.size_bytes),
            skipped=self.copied.skipped + is_there,
        )
        done = sum(map(len, self._added.values()))
        self._progress(done, max(done, self._expected))  # what is found last was not expected
        return not is_there


def _is_told(key: str, document: Sealed, audited: int) -> bool:
    """Tell whether the audit, up to an entry, tells of what became of a change."""
    if not key.startswith(CHANGES) or key.endswith(OPERATION_FILE):
        return True
    return document.decode(Settled).number <= audited
