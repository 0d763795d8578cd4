"""Verify the registry against its audit: that no entry is altered or missing, and every document is told of.

What is checked hangs together by digests: each entry holds that of the one before, the head that of the last,
and each entry that of the document which it tells of; each revision of an alias holds that of the one before.
So whoever alters or removes something would have to alter all that came after it.
"""

import re
from collections import defaultdict
from collections.abc import Iterator

import msgspec

from lampyris.domain.layout import AUDIT, AUDIT_HEAD, audit_key, change_key, number_of_key
from lampyris.domain.store import Store
from lampyris.registry.agreement import Told, check_blobs, check_model
from lampyris.registry.audit import Entry, Head
from lampyris.registry.changes import Settled
from lampyris.registry.copying import CHANGES
from lampyris.registry.documents import list_models
from lampyris.registry.findings import MISSING, UNTOLD, Finding, Findings
from lampyris.registry.operations import (
    OPERATION_FILE,
    MayGoOn,
    Operation,
    Progress,
    TimeIsOver,
    check_time,
    digest_of_begun,
    go_on,
    operation_key,
    tell_nobody,
)

_ENTRY_KEY = re.compile(rf"{AUDIT}[0-9]{{9}}\.json")


class Verified(msgspec.Struct, frozen=True, kw_only=True):
    """How many entries there are, and what was found.

    `pending` is what was interrupted: it was made, but has no entry yet. Whoever changes the same next writes
    it. `done` is False if the time was over before all was looked at.
    """

    entries: int
    findings: tuple[Finding, ...] = ()
    pending: tuple[Finding, ...] = ()
    done: bool = True


def verify(store: Store, *, may_go_on: MayGoOn = go_on, progress: Progress = tell_nobody) -> Verified:
    """Look at every entry of the audit, and at every document that it tells of. Nothing is changed.

    What seems wrong while others change the registry is looked at again.
    """
    while True:
        findings, entries, is_done = Findings(store), 0, True
        try:
            chain = _check_entries(findings, may_go_on)
            entries = chain.last
            _check_head(findings, chain)
            settled = _check_changes(findings, chain, may_go_on)
            erased = _check_operations(findings, chain, may_go_on)
            told = Told(entries=_by_subject(chain), settled=settled, erased=erased)
            models = sorted({model for model, _ in told.entries if model} | set(list_models(store)))
            blobs: dict[str, int] = {}
            for number, model in enumerate(models, 1):
                blobs |= check_model(findings, told, model, may_go_on)
                progress(number, len(models))
            check_blobs(findings, blobs)
        except TimeIsOver:
            is_done = False
        if is_done and findings.found and any(_entries_after(store, entries)):
            continue
        return Verified(
            entries=entries, findings=tuple(findings.found), pending=tuple(findings.pending), done=is_done
        )


class _Chain(msgspec.Struct):
    """The audit as far as it can be read: entries and their digests, by number; and the last number."""

    last: int = 0
    entries: dict[int, Entry] = {}
    digests: dict[int, str] = {}


def _entries_after(store: Store, number: int) -> Iterator[int]:
    keys = (entry.key for entry in store.list(AUDIT, audit_key(number)))
    return (number_of_key(key) for key in keys if _ENTRY_KEY.fullmatch(key))


def _check_entries(findings: Findings, may_go_on: MayGoOn) -> _Chain:
    chain = _Chain()
    for number in findings.ahead(_entries_after(findings.store, 0), audit_key, may_go_on):
        check_time(may_go_on)
        if number > chain.last + 1:
            up_to = f", and so is all up to entry {number - 1}" if number > chain.last + 2 else ""
            findings.note(audit_key(chain.last + 1), MISSING + up_to, number=chain.last + 1)
        chain.last = number
        entry, digest = findings.read(audit_key(number), lambda sealed: sealed.decode(Entry), number=number)
        if entry is None or digest is None:
            continue
        before = "" if number == 1 else chain.digests.get(number - 1, entry.previous)
        if entry.number != number:
            findings.note(
                audit_key(number), f"is entry {entry.number}, at the place of another", number=number
            )
            continue
        if entry.previous != before:
            problem = f"does not follow entry {number - 1}: one of the two was altered"
            findings.note(audit_key(number), problem, number=number)
        chain.entries[number], chain.digests[number] = entry, digest
    return chain


def _check_head(findings: Findings, chain: _Chain) -> None:
    """Hold the last entry that was known to be there against those that are."""
    if chain.last <= 1 and not findings.stands(AUDIT_HEAD):
        return  # whoever wrote the first entry may have been interrupted
    head, _ = findings.read(AUDIT_HEAD, lambda sealed: sealed.decode(Head))
    if head is None:
        return
    if head.number > chain.last:
        findings.note(audit_key(head.number), f"{MISSING}: {AUDIT_HEAD} names it", number=head.number)
    elif chain.digests.get(head.number, head.digest) != head.digest:
        findings.note(AUDIT_HEAD, f"does not name entry {head.number} as it is", number=head.number)


def _check_changes(findings: Findings, chain: _Chain, may_go_on: MayGoOn) -> dict[str, Settled]:
    """Hold what became of changes against their entries; return it by the changes' ids."""
    found = {}
    keys = (listed.key for listed in findings.store.list(CHANGES))
    settlements = (key for key in keys if not key.endswith(OPERATION_FILE))  # others come with their entries
    for key in findings.ahead(settlements, str, may_go_on):
        check_time(may_go_on)
        settled, _ = findings.read(key, lambda sealed: sealed.decode(Settled))
        if settled is None:
            continue
        found[settled.id] = settled
        if change_key(settled.id) != key:
            findings.note(key, "is what became of another change")
        elif settled.number > chain.last:
            findings.note(audit_key(settled.number), f"{MISSING}: {key} names it", number=settled.number)
    for entry in chain.entries.values():
        if entry.change.id not in found:
            findings.note_pending(change_key(entry.change.id))
    return found


def _check_operations(findings: Findings, chain: _Chain, may_go_on: MayGoOn) -> dict[str | None, int]:
    """Hold operations against their entries; return by which one each model was last erased to the end."""
    erased = {}
    for number, entry in chain.entries.items():
        if entry.subject:
            continue
        check_time(may_go_on)
        key = operation_key(entry.change.id)
        operation, _ = findings.read(key, lambda sealed: sealed.decode(Operation), number=number)
        if operation is None:
            continue
        if digest_of_begun(operation) != entry.document:
            findings.note(key, UNTOLD, number=number)
        if entry.change.action == "erase" and operation.outcome is not None:
            erased[entry.model] = number
    return erased


def _by_subject(chain: _Chain) -> dict[tuple[str | None, str], list[Entry]]:
    entries = defaultdict(list)
    for entry in chain.entries.values():
        entries[entry.model, entry.subject].append(entry)
    return entries
