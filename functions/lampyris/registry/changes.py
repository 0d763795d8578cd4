"""Make a change once, whoever asks how often: from a caller's wish to what is written down of it.

A change counts as made when its document is written. To settle it is to write down the rest: its entry in the
audit, and under its id what became of it. Every step may be repeated; a change is settled before the next one
of the same document, so that none is lost, whoever dies on the way.
"""

import re
from contextlib import suppress
from datetime import datetime

import msgspec

from lampyris.domain.layout import change_key
from lampyris.domain.manifest import Change
from lampyris.domain.sealed import seal, unseal
from lampyris.domain.store import Store
from lampyris.errors import InvalidName, KeyReused, ObjectExists, ObjectNotFound
from lampyris.registry.audit import Entry, append_once, find_end

_LONGEST_KEY, _LONGEST_REASON = 200, 1000
# What Python makes of bytes on a command line that are no UTF-8.
_SURROGATE = re.compile("[\ud800-\udfff]")


class Author(msgspec.Struct, frozen=True, kw_only=True):
    """Who wants a change, why, and by what idempotency key: the same key again is the same change."""

    key: str
    by: str
    reason: str = ""


class Settled(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a change: its entry in the audit, and `result`, which says how to find what it made.

    `number` is 0 if there was nothing to change: then `result` tells what stood there.
    """

    id: str
    fingerprint: str
    number: int
    result: int


def begin(store: Store, author: Author, action: str, *, about: tuple[object, ...], at: datetime) -> Change:
    """Write down what somebody wants, before it is decided on. `about` is all that the request says.

    Raises: InvalidName if the idempotency key or the reason is too long, or no text.
    """
    if not 0 < len(author.key) <= _LONGEST_KEY:
        raise InvalidName(
            kind="a change", name=author.key[:_LONGEST_KEY], rule=f"a key has 1 to {_LONGEST_KEY} letters"
        )
    if len(author.reason) > _LONGEST_REASON:
        raise InvalidName(
            kind="a reason", name=author.reason[:80] + "…", rule=f"it has {_LONGEST_REASON} letters at most"
        )
    for text in (author.key, author.by, author.reason):
        if _SURROGATE.search(text):
            raise InvalidName(kind="a change", name=ascii(text), rule="use letters that UTF-8 has")
    return Change(
        id=author.key,
        action=action,
        by=author.by,
        reason=author.reason,
        at=at,
        audited=find_end(store),
        fingerprint=msgspec.json.encode((action, *about)).decode(),
    )


def find_settled(store: Store, change: Change) -> Settled | None:
    """Return what became of a change if it was made and settled.

    Raises: KeyReused if its id stands for another request.
    """
    settled = _read_settled(store, change.id)
    if settled is not None:
        check_same(change, settled.fingerprint)
    return settled


def is_settled(store: Store, change: Change, *, result: int) -> bool:
    """Tell whether all is written down of a change that a document holds."""
    settled = _read_settled(store, change.id)
    if settled is None or not settled.number:
        return False
    return (settled.fingerprint, settled.result) == (change.fingerprint, result)


def _read_settled(store: Store, id_: str) -> Settled | None:
    try:
        found = store.get(change_key(id_))
    except ObjectNotFound:
        return None
    return unseal(found.data).decode(Settled)


def check_same(change: Change, fingerprint: str) -> None:
    """Raises: KeyReused unless the change is of the same request as the one with this fingerprint."""
    if change.fingerprint != fingerprint:
        raise KeyReused(key=change.id)


def renew(store: Store, change: Change) -> Change:
    """Decide on a change anew: what the audit got since then was not of this change."""
    return msgspec.structs.replace(change, audited=find_end(store))


def settle(store: Store, entry: Entry, *, result: int) -> None:
    """Write down the rest of a change that was made. Repeating it changes nothing."""
    _write_down(store, entry.change, number=append_once(store, entry).number, result=result)


def note(store: Store, change: Change, *, result: int) -> None:
    """Write down that there was nothing to change, so that the same key changes nothing later either."""
    _write_down(store, change, number=0, result=result)


def _write_down(store: Store, change: Change, *, number: int, result: int) -> None:
    settled = Settled(id=change.id, fingerprint=change.fingerprint, number=number, result=result)
    create_once(store, change_key(change.id), seal(settled).data)


def create_once(store: Store, key: str, data: bytes) -> None:
    """Create what everybody would create alike. Somebody who is only about to write it may fail yet."""
    while True:
        try:
            store.create(key, data)
        except ObjectExists:
            with suppress(ObjectNotFound):
                store.size_bytes(key)
                return
        else:
            return
