"""Whatever is altered, removed, swapped or cut off is found; and nothing is found where nothing is wrong."""

from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from itertools import combinations, count
from typing import Any

import msgspec
import pytest

from lampyris.adapters.memory_store import MemoryStore
from lampyris.domain.layout import AUDIT_HEAD, audit_key, blob_key, revision_key, version_key
from lampyris.domain.manifest import Alias, Manifest
from lampyris.domain.sealed import seal, unseal
from lampyris.registry.audit import Entry, Head
from lampyris.registry.changes import Author
from lampyris.registry.collection import collect
from lampyris.registry.erasure import erase
from lampyris.registry.verification import Verified, verify

NOW = datetime(2026, 7, 1, tzinfo=UTC)
# What a verification reads. Blobs are held against their digests by whoever reads them.
READ = ("audit", "changes/", "models/")


class Crash(BaseException):
    """The process ends here."""


@pytest.fixture
def lived(registry: Any) -> Any:
    """Give a registry a past."""
    for upload in ("u1", "u2", "u3"):
        registry.publish(upload)
    registry.commit("u4")
    registry.delete(4)
    registry.set({1: 90, 2: 10})
    registry.shadow(3)
    registry.promote()
    registry.roll_back()
    registry.set({3: 100}, "other")
    collect(registry.store, author=Author(key="gc", by="ann"), now=NOW)
    return registry


def _problems(verified: Verified) -> set[str]:
    return {finding.key for finding in verified.findings}


def test_nothing_is_found_where_nothing_is_wrong(lived: Any) -> None:
    verified = verify(lived.store)

    assert verified == Verified(entries=14, findings=(), pending=(), done=True)


def test_an_empty_registry_is_in_order(store: MemoryStore) -> None:
    assert verify(store) == Verified(entries=0)


def _keys(store: MemoryStore) -> list[str]:
    return [entry.key for entry in store.list("") if entry.key.startswith(READ)]


def test_each_byte_that_is_altered_is_found(lived: Any) -> None:
    for key in _keys(lived.store):
        data = lived.store.get(key).data
        for at in {0, len(data) // 3, len(data) // 2, len(data) - 2}:
            lived.store.put(key, data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])
            assert verify(lived.store).findings, f"byte {at} of {key}"
        lived.store.put(key, data)
    assert not verify(lived.store).findings


def test_each_object_that_is_removed_is_found(lived: Any) -> None:
    for key in _keys(lived.store):
        data = lived.store.get(key).data
        lived.store.delete(key)
        verified = verify(lived.store)
        assert verified.findings or verified.pending, key
        assert verified.findings or key.startswith("changes/"), key
        lived.store.put(key, data)


def test_any_two_of_a_kind_that_are_swapped_are_found(lived: Any) -> None:
    keys = _keys(lived.store)
    pairs = [
        (one, other)
        for one, other in combinations(keys, 2)
        if one.rpartition("/")[0] == other.rpartition("/")[0]
    ]
    for one, other in pairs:
        first, second = lived.store.get(one).data, lived.store.get(other).data
        lived.store.put(one, second)
        lived.store.put(other, first)
        assert verify(lived.store).findings, (one, other)
        lived.store.put(one, first)
        lived.store.put(other, second)
    assert len(pairs) > 100


@pytest.mark.parametrize("cut", [1, 2, 5, 14])
def test_an_audit_that_is_cut_off_is_found_though_its_head_agrees(lived: Any, cut: int) -> None:
    for number in range(15 - cut, 15):
        lived.store.delete(audit_key(number))
    if cut == 14:
        lived.store.delete(AUDIT_HEAD)
    else:
        last = unseal(lived.store.get(audit_key(14 - cut)).data)
        lived.store.put(AUDIT_HEAD, seal(Head(number=14 - cut, digest=last.digest)).data)

    assert verify(lived.store).findings


def _reseal(store: MemoryStore, key: str, type_: type[msgspec.Struct], **changed: Any) -> None:
    document = unseal(store.get(key).data).decode(type_)
    store.put(key, seal(msgspec.structs.replace(document, **changed)).data)


def test_what_was_altered_and_sealed_again_is_found(lived: Any) -> None:
    manifest = unseal(lived.store.get(version_key("iris", 2)).data).decode(Manifest)
    alias = lived.alias()
    forgeries: list[tuple[str, type[msgspec.Struct], dict[str, Any]]] = [
        (version_key("iris", 2), Manifest, {"source": "0" * 64}),
        (version_key("iris", 2), Manifest, {"closing": manifest.published, "source": "0" * 64}),
        (version_key("iris", 2), Manifest, {"published": alias.change}),
        ("models/iris/aliases/live.json", Alias, {"routes": alias.routes[:1], "newest_published": 9}),
        ("models/iris/aliases/live.json", Alias, {"change": manifest.published}),
        (revision_key("iris", "live", 2), Alias, {"before": None}),
        (revision_key("iris", "live", 2), Alias, {"previous": "0" * 64}),
        (audit_key(3), Entry, {"details": {}}),
        (audit_key(14), Entry, {"details": {"revision": 1}}),
        (AUDIT_HEAD, Head, {"digest": "0" * 64}),
    ]

    for key, type_, changed in forgeries:
        data = lived.store.get(key).data
        _reseal(lived.store, key, type_, **changed)
        assert verify(lived.store).findings, (key, changed)
        lived.store.put(key, data)


def test_a_document_of_a_later_format_is_found_and_not_called_altered(lived: Any) -> None:
    key = version_key("iris", 1)
    document = msgspec.json.decode(unseal(lived.store.get(key).data).document)
    later = msgspec.defstruct("Later", list(document))
    lived.store.put(key, seal(later(**{**document, "format": 2})).data)

    problems = {finding.problem for finding in verify(lived.store).findings if finding.key == key}

    assert problems == {"is whole, but not of a format that this Lampyris reads"}


def test_an_alias_that_was_put_back_to_what_it_was_is_found(lived: Any) -> None:
    former = lived.store.get(revision_key("iris", "live", 3)).data
    lived.store.put("models/iris/aliases/live.json", former)

    found = verify(lived.store).findings

    assert "is at revision 3; the audit tells of revision 7" in {finding.problem for finding in found}


def test_a_deleted_version_that_was_put_back_is_found(lived: Any) -> None:
    manifest, *_ = [one.data for one in lived.store._writings[version_key("iris", 4)]]
    lived.store.put(version_key("iris", 4), manifest)

    (finding,) = verify(lived.store).findings

    assert finding.key == version_key("iris", 4)
    assert finding.problem.startswith("stands there, though entry 8 took it away")


def test_an_erased_version_that_was_put_back_is_found(lived: Any) -> None:
    manifest = lived.store.get(version_key("iris", 2)).data
    erase(lived.store, "iris", author=Author(key="erase", by="ann"), now=NOW)
    clean = verify(lived.store)
    lived.store.put(version_key("iris", 2), manifest)

    found = verify(lived.store).findings

    assert clean.findings == clean.pending == ()
    assert {finding.key for finding in found} == {version_key("iris", 2)} | {
        blob_key(unseal(manifest).decode(Manifest).artifact.graph.digest)
    } - _keys_of_blobs(lived.store)


def _keys_of_blobs(store: MemoryStore) -> set[str]:
    return {entry.key for entry in store.list("blobs/sha256/")}


def test_a_blob_that_is_missing_or_of_another_size_is_found(lived: Any) -> None:
    one, other = sorted(_keys_of_blobs(lived.store))[:2]
    lived.store.delete(one)
    lived.store.put(other, b"short")

    assert _problems(verify(lived.store)) >= {one, other}


def test_findings_say_where_and_what_in_a_sentence(lived: Any) -> None:
    lived.store.delete(audit_key(4))
    lived.store.delete(audit_key(5))
    lived.store.delete(audit_key(6))

    finding = verify(lived.store).findings[0]

    assert finding.number == 4
    assert finding.key == audit_key(4)
    assert finding.problem == "is missing, and so is all up to entry 6"


@pytest.mark.parametrize("is_after", [False, True], ids=["before", "after"])
def test_a_change_that_was_interrupted_is_pending_and_no_finding(
    lived: Any, watch: Any, registry_of: Any, *, is_after: bool
) -> None:
    pending = 0
    for at in count():
        store = MemoryStore()
        for entry in lived.store.list(""):
            store.put(entry.key, lived.store.get(entry.key).data)
        calls = count()

        def die(method: str, key: str, call: Callable[[], Any], at: int = at, calls: Any = calls) -> Any:
            is_due = next(calls) == at
            if is_due and not is_after:
                raise Crash
            result = call()
            if is_due:
                raise Crash
            return result

        with suppress(Crash):
            registry_of(watch(store, die)).publish("u9")
        verified = verify(store)
        assert verified.findings == ()
        pending += bool(verified.pending)
        registry_of(store).publish("u9")
        assert verify(store) == Verified(entries=16)
        if next(calls) <= at:
            break
    assert pending > 3


def test_what_changes_meanwhile_is_looked_at_again(lived: Any, watch: Any, registry_of: Any) -> None:
    for at in range(60):
        calls = count()

        def move(method: str, key: str, call: Callable[[], Any], at: int = at, calls: Any = calls) -> Any:
            if next(calls) == at:
                lived.set({1 + at % 3: 100})
            return call()

        assert verify(watch(lived.store, move)).findings == ()


def test_whoever_has_no_time_is_told_that_it_is_not_the_whole(lived: Any) -> None:
    assert not verify(lived.store, may_go_on=lambda: False).done
