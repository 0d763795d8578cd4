"""Work on a whole model, or on the whole registry: begun once, told to the audit, ended once.

It may take several calls. What is asked for is written down first, so that a call that died is found again by
its idempotency key, and what came of it last: then the same key does nothing more.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Any, Literal

import msgspec

from lampyris.domain.layout import change_key
from lampyris.domain.manifest import Change
from lampyris.domain.sealed import seal, unseal
from lampyris.domain.store import Store
from lampyris.errors import ObjectExists, ObjectNotFound
from lampyris.registry.audit import Entry
from lampyris.registry.changes import Author, begin, check_same, find_settled, settle

OPERATION_FILE = "-operation.json"
# Takes what has been done and what there is to do, in the same unit.
Progress = Callable[[int, int], None]
# Asked before each step that is worth stopping at; what has been done until then need not be done again.
MayGoOn = Callable[[], bool]


class Operation(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody wants done, to a model or (None) to all; `outcome` is what came of it once it is done.

    `reached` is the last key that is done, where it goes through keys in order.
    """

    format: Literal[1] = 1
    model: str | None
    change: Change
    reached: str = ""
    outcome: dict[str, Any] | None = None


def operation_key(change: str) -> str:
    """Return where an operation stands, beside what became of its change."""
    return change_key(change).removesuffix(".json") + OPERATION_FILE


def find_operation(store: Store, change: str) -> Operation | None:
    """Read an operation by its idempotency key; None if it was never begun. Raises: DocumentDamaged."""
    try:
        found = store.get(operation_key(change))
    except ObjectNotFound:
        return None
    return unseal(found.data).decode(Operation)


def begin_operation(
    store: Store,
    author: Author,
    action: str,
    *,
    model: str | None,
    about: tuple[object, ...] = (),
    at: datetime,
    details: dict[str, Any] | None = None,
) -> Operation:
    """Write down what somebody wants done, and tell the audit; with the same key again, find it.

    Raises: InvalidName; KeyReused if the key stands for another request.
    """
    change = begin(store, author, action, about=(model, *about), at=at)
    operation = write_down(store, Operation(model=model, change=change))
    tell_audit(store, operation, details=details)
    return operation


def write_down(store: Store, wanted: Operation) -> Operation:
    """Write down what somebody wants done, or find it. Raises: KeyReused."""
    find_settled(store, wanted.change)  # refuses a key that stands for a change of another kind
    while True:
        try:
            store.create(operation_key(wanted.change.id), seal(wanted).data)
        except ObjectExists:
            found = find_operation(store, wanted.change.id)
            if found is None:
                continue  # S3 refuses also while another write is under way
            check_same(wanted.change, found.change.fingerprint)
            return found
        return wanted


def tell_audit(store: Store, operation: Operation, *, details: dict[str, Any] | None = None) -> None:
    """Append an operation's entry, unless it has one."""
    entry = Entry(
        number=0,
        change=operation.change,
        model=operation.model,
        subject="",
        document=digest_of_begun(operation),
        details=details or {},
    )
    settle(store, entry, result=0)


def digest_of_begun(operation: Operation) -> str:
    """Return the digest of what was written down when an operation was begun: the audit holds it."""
    return seal(msgspec.structs.replace(operation, reached="", outcome=None)).digest


def end_operation(store: Store, operation: Operation, outcome: msgspec.Struct) -> None:
    """Write down what came of an operation."""
    ended = msgspec.structs.replace(operation, outcome=msgspec.to_builtins(outcome))
    store.put(operation_key(operation.change.id), seal(ended).data)


def write_reached(store: Store, operation: Operation, reached: str) -> None:
    """Write down how far an operation has got."""
    store.put(
        operation_key(operation.change.id), seal(msgspec.structs.replace(operation, reached=reached)).data
    )


class TimeIsOver(Exception):
    """Whoever waits for the work does so no longer."""


def check_time(may_go_on: MayGoOn) -> None:
    """Raises: TimeIsOver."""
    if not may_go_on():
        raise TimeIsOver


def go_on() -> bool:
    """Let work that nobody waits for take its time."""
    return True


def tell_nobody(done: int, total: int) -> None:
    """Report progress to nobody."""
