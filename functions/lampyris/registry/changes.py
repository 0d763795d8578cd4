"""Make a change once, whoever asks how often: from a caller's wish to what is written down of it.

A change counts as made when its document is written. To settle it is to write down the rest: its entry in the
audit, and under its id what became of it. Every step may be repeated; a change is settled before the next one
of the same document, so that none is lost, whoever dies on the way.
"""

from contextlib import suppress
from datetime import datetime

import msgspec

from lampyris.domain.layout import change_key
from lampyris.domain.manifest import Change
from lampyris.domain.store import Store
from lampyris.errors import InvalidName, KeyReused, ObjectExists, ObjectNotFound
from lampyris.registry.audit import Entry, append_once, find_end

_LONGEST_KEY, _LONGEST_REASON = 200, 1000


class Author(msgspec.Struct, frozen=True, kw_only=True):
    """Who wants a change, why, and by what idempotency key: the same key again is the same change."""

    key: str
    by: str
    reason: str = ""


class Settled(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a change: its entry in the audit, and `result`, which says how to find what it made."""

    id: str
    fingerprint: str
    number: int
    result: int


def begin(store: Store, author: Author, action: str, *, about: tuple[object, ...], at: datetime) -> Change:
    """Write down what somebody wants, before it is decided on. `about` is all that the request says.

    Raises: InvalidName if the idempotency key or the reason is too long.
    """
    if not 0 < len(author.key) <= _LONGEST_KEY:
        raise InvalidName(
            kind="a change", name=author.key[:_LONGEST_KEY], rule=f"a key has 1 to {_LONGEST_KEY} letters"
        )
    if len(author.reason) > _LONGEST_REASON:
        raise InvalidName(
            kind="a reason", name=author.reason[:80] + "…", rule=f"it has {_LONGEST_REASON} letters at most"
        )
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


def is_settled(store: Store, change: Change) -> bool:
    """Tell whether all is written down of a change that a document holds."""
    settled = _read_settled(store, change.id)
    return settled is not None and settled.fingerprint == change.fingerprint


def _read_settled(store: Store, id_: str) -> Settled | None:
    try:
        found = store.get(change_key(id_))
    except ObjectNotFound:
        return None
    return msgspec.json.decode(found.data, type=Settled)


def check_same(change: Change, fingerprint: str) -> None:
    """Raises: KeyReused unless the change is of the same request as the one with this fingerprint."""
    if change.fingerprint != fingerprint:
        raise KeyReused(key=change.id)


def settle(store: Store, entry: Entry, *, result: int) -> None:
    """Write down the rest of a change that was made. Repeating it changes nothing."""
    change = entry.change
    appended = append_once(store, entry)
    settled = Settled(id=change.id, fingerprint=change.fingerprint, number=appended.number, result=result)
    with suppress(ObjectExists):
        store.create(change_key(change.id), msgspec.json.encode(settled))
