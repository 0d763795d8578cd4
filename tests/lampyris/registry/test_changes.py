"""Idempotency keys: the same key is the same change, whoever asks how often, and what else came between."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from lampyris.adapters.memory_store import MemoryStore
from lampyris.domain.layout import change_key, revision_key
from lampyris.errors import InvalidName, KeyReused, ObjectExists
from lampyris.registry.audit import find_end
from lampyris.registry.changes import Author, begin, find_settled

NOW = datetime(2026, 7, 1, tzinfo=UTC)


def test_change_says_who_why_and_when(store: MemoryStore) -> None:
    author = Author(key="k", by="ann", reason="it is better")

    change = begin(store, author, "set", about=("iris", "live"), at=NOW)

    assert (change.id, change.by, change.reason, change.at) == ("k", "ann", "it is better", NOW)
    assert change.audited == 0


@pytest.mark.parametrize("key", ["", "k" * 201])
def test_key_of_no_or_too_many_letters_is_refused(store: MemoryStore, key: str) -> None:
    with pytest.raises(InvalidName, match="a key has 1 to 200 letters"):
        begin(store, Author(key=key, by="ann"), "set", about=(), at=NOW)


def test_reason_that_is_too_long_is_refused(store: MemoryStore) -> None:
    with pytest.raises(InvalidName, match="1000 letters at most"):
        begin(store, Author(key="k", by="ann", reason="x" * 1001), "set", about=(), at=NOW)


@pytest.mark.parametrize(
    "author",
    [
        Author(key="k\udcff", by="ann"),
        Author(key="k", by="\udcff"),
        Author(key="k", by="ann", reason="\ud800"),
    ],
)
def test_what_is_no_text_is_refused(store: MemoryStore, author: Author) -> None:
    with pytest.raises(InvalidName, match="letters that UTF-8 has"):
        begin(store, author, "set", about=(), at=NOW)


def test_same_key_again_changes_nothing(registry: Any, store: MemoryStore, checks: Any) -> None:
    registry.publish("u1")
    registry.publish("u2")

    first = registry.set({1: 100}, key="k")
    again = registry.set({1: 100}, key="k")

    assert again == first
    assert registry.alias().revision == first.revision
    checks.all_settled(store)


def test_same_key_answers_as_before_when_the_alias_moved_on(registry: Any) -> None:
    registry.publish("u1")
    registry.publish("u2")
    first = registry.set({1: 100}, key="k")
    registry.set({2: 100})

    again = registry.set({1: 100}, key="k")

    assert again == first
    assert registry.shares() == {2: 100}


def test_key_of_what_changed_nothing_changes_nothing_later(registry: Any) -> None:
    registry.publish("u1")
    registry.publish("u2")
    first = registry.set({2: 100}, key="k")
    registry.set({1: 100})

    again = registry.set({2: 100}, key="k")

    assert again == first
    assert registry.shares() == {1: 100}


def test_what_changes_nothing_is_not_in_the_audit(registry: Any, store: MemoryStore) -> None:
    registry.publish("u1")
    before = find_end(store)

    registry.set({1: 100})

    assert find_end(store) == before
    assert registry.alias().revision == 1


def test_key_of_another_request_is_refused_at_once(registry: Any) -> None:
    registry.publish("u1")
    registry.publish("u2")
    registry.set({1: 100}, key="k")

    with pytest.raises(KeyReused, match="idempotency key was used for another request"):
        registry.set({2: 100}, key="k")

    assert registry.shares() == {1: 100}


def test_key_of_another_request_is_refused_later(registry: Any) -> None:
    registry.publish("u1")
    registry.publish("u2")
    registry.set({1: 100}, key="k")
    registry.set({2: 100})

    with pytest.raises(KeyReused):
        registry.roll_back(key="k")

    assert registry.shares() == {2: 100}


def test_key_of_one_alias_is_refused_for_another(registry: Any) -> None:
    registry.publish("u1")
    registry.publish("u2")
    registry.set({1: 100}, key="k")

    with pytest.raises(KeyReused):
        registry.set({1: 100}, "canary", key="k")


def test_key_may_have_any_letters(registry: Any, store: MemoryStore, checks: Any) -> None:
    registry.publish("u1")
    registry.publish("u2")

    registry.set({1: 100}, key="../../ä %/\n")

    checks.all_settled(store)


def test_outcome_that_somebody_only_began_to_write_is_written_nevertheless(
    store: MemoryStore, watch: Any, registry_of: Any, checks: Any
) -> None:
    """S3 refuses a write while another is under way; the other may fail."""
    busy: set[str] = set()

    def busy_at_first(method: str, key: str, call: Callable[[], Any]) -> Any:
        if method == "create" and key not in busy:
            busy.add(key)
            raise ObjectExists(key=key)
        return call()

    busy_registry = registry_of(watch(store, busy_at_first))
    busy_registry.publish("u1")
    busy_registry.publish("u2")

    assert busy > {revision_key("iris", "live", 1), change_key("live:iris:1")}
    checks.all_settled(store)


def test_outcome_names_the_entry_in_the_audit(registry: Any, store: MemoryStore, checks: Any) -> None:
    registry.publish("u1")
    registry.publish("u2")
    moved = registry.set({1: 100}, key="k")

    settled = find_settled(store, moved.change)

    assert settled is not None
    assert settled.result == moved.revision
    assert checks.audit(store)[settled.number - 1].change == moved.change
