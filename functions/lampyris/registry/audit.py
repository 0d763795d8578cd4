"""The account of every change: entries numbered without a gap, each holding the digest of the one before.

A change is kept in the document that it changed, with the state that it made, in one write. Its entry comes
after: from who made the change, or, if that one died, from whoever changes the same document next. An entry
that is altered or missing breaks the chain; if it is missing at the end, the head and the documents tell.
"""

import re
from typing import Any

import msgspec

from lampyris.domain.layout import AUDIT, AUDIT_HEAD, audit_key, number_of_key
from lampyris.domain.manifest import Change
from lampyris.domain.sealed import seal, unseal
from lampyris.domain.store import Store
from lampyris.errors import DocumentDamaged, ObjectChanged, ObjectExists, ObjectNotFound

_ENTRY_KEY = re.compile(rf"{AUDIT}[0-9]{{9}}\.json")


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One change. `subject` is what was changed: "version 3", "alias live", or "" for the whole registry.

    `document` is the digest of what was written; `previous` that of the entry before, "" for the first.
    """

    format: int = 1
    number: int
    change: Change
    model: str | None
    subject: str
    document: str
    details: dict[str, Any] = {}
    previous: str = ""


class Head(msgspec.Struct, frozen=True, kw_only=True):
    """The last entry that is known to be there; there may be more."""

    number: int
    digest: str


def find_end(store: Store) -> int:
    """Return the number of the last entry, 0 if there is none."""
    head = _read_head(store)
    known = 0 if head is None else head[0].number
    keys = (entry.key for entry in store.list(AUDIT, audit_key(known)))
    return max((number_of_key(key) for key in keys if _ENTRY_KEY.fullmatch(key)), default=known)


def append_once(store: Store, draft: Entry) -> Entry:
    """Append an entry, unless its change has one; `draft.number` and `draft.previous` are not used.

    Whoever else appends meanwhile: the entries after `draft.change.audited` are looked through, each once.
    """
    number = draft.change.audited + 1
    previous = _read(store, number - 1)[1] if number > 1 else ""
    while True:
        found, digest = _read(store, number)
        if found is None:
            entry = msgspec.structs.replace(draft, number=number, previous=previous)
            sealed = seal(entry)
            try:
                store.create(audit_key(number), sealed.data)
            except ObjectExists:
                continue  # whose it is, or nobody's yet: S3 refuses also while a write is under way
            _advance_head(store, Head(number=number, digest=sealed.digest))
            return entry
        if _is_of(found, draft):
            return found
        previous, number = digest, number + 1


def read_entry(store: Store, number: int) -> Entry | None:
    """Read an entry; None if there is none of this number. Raises: DocumentDamaged."""
    return _read(store, number)[0]


def _read(store: Store, number: int) -> tuple[Entry | None, str]:
    try:
        sealed = unseal(store.get(audit_key(number)).data)
    except ObjectNotFound:
        return None, ""
    entry = sealed.decode(Entry)
    if entry.number != number:
        raise DocumentDamaged(digest=sealed.digest)
    return entry, sealed.digest


def _is_of(entry: Entry, draft: Entry) -> bool:
    return (entry.change.id, entry.model, entry.subject) == (draft.change.id, draft.model, draft.subject)


def _read_head(store: Store) -> tuple[Head, str] | None:
    try:
        found = store.get(AUDIT_HEAD)
    except ObjectNotFound:
        return None
    return unseal(found.data).decode(Head), found.etag


def _advance_head(store: Store, head: Head) -> None:
    """Move the head forward; whoever is faster has moved it as well."""
    try:
        found = _read_head(store)
        if found is None:
            store.create(AUDIT_HEAD, seal(head).data)
        elif found[0].number < head.number:
            store.replace(AUDIT_HEAD, seal(head).data, found[1])
    except (ObjectExists, ObjectChanged):
        return
