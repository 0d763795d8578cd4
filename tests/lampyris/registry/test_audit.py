"""The audit: every change once, numbered without a gap, each entry holding the digest of the one before."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from lampyris.adapters.memory_store import MemoryStore
from lampyris.domain.layout import AUDIT_HEAD, audit_key
from lampyris.domain.sealed import unseal
from lampyris.errors import DocumentDamaged, ObjectExists
from lampyris.registry.audit import Entry, Head, append_once, find_end, read_entry
from lampyris.registry.changes import Author, begin

NOW = datetime(2026, 7, 1, tzinfo=UTC)


def draft(store: MemoryStore, key: str, *, subject: str = "alias live") -> Entry:
    change = begin(store, Author(key=key, by="ann"), "set", about=(subject,), at=NOW)
    return Entry(number=0, change=change, model="iris", subject=subject, document="ab" * 32)


def test_entries_are_numbered_and_chained(store: MemoryStore, checks: Any) -> None:
    for key in ("a", "b", "c"):
        append_once(store, draft(store, key))

    entries = checks.audit(store)

    assert [(entry.number, entry.change.id) for entry in entries] == [(1, "a"), (2, "b"), (3, "c")]
    assert entries[0].previous == ""
    assert entries[2].previous == unseal(store.get(audit_key(2)).data).digest
    assert find_end(store) == 3


def test_entry_is_appended_once(store: MemoryStore, checks: Any) -> None:
    late = draft(store, "a")
    first = append_once(store, late)
    append_once(store, draft(store, "b"))

    again = append_once(store, late)

    assert again == first
    assert len(checks.audit(store)) == 2


def test_one_change_may_have_an_entry_for_each_of_two_subjects(store: MemoryStore, checks: Any) -> None:
    append_once(store, draft(store, "a", subject="version 1"))
    append_once(store, draft(store, "a", subject="version 2"))

    assert [entry.subject for entry in checks.audit(store)] == ["version 1", "version 2"]


def test_entry_that_comes_late_goes_to_the_end(store: MemoryStore, checks: Any) -> None:
    late = draft(store, "late")
    for key in ("a", "b"):
        append_once(store, draft(store, key))

    assert append_once(store, late).number == 3
    checks.audit(store)


def test_two_that_append_at_once_take_two_numbers(store: MemoryStore, watch: Any, checks: Any) -> None:
    others = [draft(store, "other")]

    def be_slower(method: str, key: str, call: Callable[[], Any]) -> Any:
        if (method, key) == ("create", audit_key(1)) and others:
            append_once(store, others.pop())
        return call()

    appended = append_once(watch(store, be_slower), draft(store, "mine"))

    assert appended.number == 2
    assert [entry.change.id for entry in checks.audit(store)] == ["other", "mine"]


def test_two_that_append_the_same_at_once_append_it_once(store: MemoryStore, watch: Any, checks: Any) -> None:
    mine = draft(store, "mine")
    others = [mine]

    def be_slower(method: str, key: str, call: Callable[[], Any]) -> Any:
        if (method, key) == ("create", audit_key(1)) and others:
            append_once(store, others.pop())
        return call()

    appended = append_once(watch(store, be_slower), mine)

    assert appended.number == 1
    assert len(checks.audit(store)) == 1


def test_conflict_that_left_no_entry_behind_leaves_no_gap(store: MemoryStore, watch: Any) -> None:
    busy = [audit_key(1)]

    def busy_at_first(method: str, key: str, call: Callable[[], Any]) -> Any:
        if method == "create" and key in busy:
            busy.remove(key)
            raise ObjectExists(key=key)
        return call()

    appended = append_once(watch(store, busy_at_first), draft(store, "a"))

    assert (appended.number, busy) == (1, [])


def test_end_is_found_though_the_head_was_left_behind(store: MemoryStore) -> None:
    for key in ("a", "b"):
        append_once(store, draft(store, key))
    behind = store.get(AUDIT_HEAD).data
    append_once(store, draft(store, "c"))
    store.put(AUDIT_HEAD, behind)

    assert find_end(store) == 3
    assert append_once(store, draft(store, "d")).number == 4
    assert unseal(store.get(AUDIT_HEAD).data).decode(Head).number == 4


def test_end_is_found_without_a_head(store: MemoryStore) -> None:
    append_once(store, draft(store, "a"))
    store.delete(AUDIT_HEAD)

    assert find_end(store) == 1


def test_head_does_not_forget_entries_that_were_taken_away(store: MemoryStore) -> None:
    for key in ("a", "b"):
        append_once(store, draft(store, key))
    store.delete(audit_key(2))

    assert find_end(store) == 2
    assert append_once(store, draft(store, "c")).number == 3


def test_head_never_goes_back(store: MemoryStore, watch: Any) -> None:
    others = [draft(store, "other")]

    def be_slower(method: str, key: str, call: Callable[[], Any]) -> Any:
        if key == AUDIT_HEAD and method == "get" and others:
            append_once(store, others.pop())
        return call()

    append_once(watch(store, be_slower), draft(store, "mine"))

    assert unseal(store.get(AUDIT_HEAD).data).decode(Head).number == 2


def test_stray_object_is_no_entry(store: MemoryStore) -> None:
    append_once(store, draft(store, "a"))
    for stray in ("audit/README.md", "audit/12.json", "audit/old/000000009.json", "audit/00000000x.json"):
        store.put(stray, b"mine")

    assert find_end(store) == 1


def test_entry_that_stands_where_another_belongs_is_damaged(store: MemoryStore) -> None:
    for key in ("a", "b"):
        append_once(store, draft(store, key))
    store.put(audit_key(2), store.get(audit_key(1)).data)

    with pytest.raises(DocumentDamaged):
        read_entry(store, 2)


def test_entry_that_is_not_there_is_none(store: MemoryStore) -> None:
    assert read_entry(store, 1) is None


def test_every_verb_has_its_entry(registry: Any, store: MemoryStore, checks: Any) -> None:
    registry.publish("u1")
    registry.publish("u2")
    registry.commit("u3")
    registry.set({2: 90, 3: 10})
    registry.promote()
    registry.roll_back()
    registry.shadow(3)
    registry.shadow(None)
    registry.set({1: 100})
    registry.delete(3)

    entries = checks.audit(store)

    assert [(entry.change.action, entry.subject) for entry in entries] == [
        ("publish", "version 1"),
        ("publish", "alias live"),
        ("publish", "version 2"),
        ("publish", "alias live"),
        ("publish", "version 3"),
        ("split", "alias live"),
        ("promote", "alias live"),
        ("rollback", "alias live"),
        ("shadow", "alias live"),
        ("shadow", "alias live"),
        ("set", "alias live"),
        ("delete", "version 3"),
    ]
    assert all((entry.change.by, entry.change.reason) == ("ann", "to test") for entry in entries)
    assert entries[5].details == {"revision": 3, "routes": {"2": 90, "3": 10}, "shadow": None}
    checks.all_settled(store)
