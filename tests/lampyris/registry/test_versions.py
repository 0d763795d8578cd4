"""Versions: numbered without a gap, made once of each upload, deleted only when nothing names them."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest

from lampyris.adapters.memory_store import MemoryStore
from lampyris.domain.layout import alias_key, version_key
from lampyris.domain.manifest import Manifest, Tombstone
from lampyris.errors import (
    InvalidName,
    KeyReused,
    ObjectExists,
    VersionClosing,
    VersionDeleted,
    VersionInUse,
    VersionNotFound,
)
from lampyris.registry.documents import find_version, list_versions, read_version
from lampyris.registry.versions import find_upload


class Crash(BaseException):
    """The process ends here."""


def test_first_version_is_number_one(registry: Any, store: MemoryStore) -> None:
    manifest = registry.commit("u1")

    assert manifest.version == 1
    assert read_version(store, "iris", 1) == manifest


def test_versions_are_numbered_without_gaps_and_in_numeric_order(registry: Any, store: MemoryStore) -> None:
    for number in range(1, 13):
        registry.commit(f"u{number}")

    assert list_versions(store, "iris") == list(range(1, 13))


def test_model_whose_name_starts_with_anothers_keeps_its_own_versions(
    registry: Any, store: MemoryStore, registry_of: Any
) -> None:
    large = registry_of(store)
    large.model = "iris-large"
    large.commit("u1")
    large.commit("u2")

    manifest = registry.commit("u3")

    assert manifest.version == 1


def test_same_upload_makes_one_version(registry: Any, store: MemoryStore) -> None:
    first = registry.commit("u1")
    registry.commit("u2")

    again = registry.commit("u1")

    assert again == first
    assert list_versions(store, "iris") == [1, 2]


def test_upload_of_a_deleted_version_makes_no_other(registry: Any, store: MemoryStore) -> None:
    registry.commit("u1")
    tombstone = registry.delete(1)

    again = registry.commit("u1")

    assert again == tombstone
    assert list_versions(store, "iris") == [1]


def test_version_is_found_by_its_upload(registry: Any, store: MemoryStore) -> None:
    registry.commit("u1")
    second = registry.commit("u2")
    written = max(entry.modified_at for entry in store.list("models/iris/versions/"))

    assert find_upload(store, "iris", "u2", written) == second
    assert find_upload(store, "iris", "u2", written + timedelta(seconds=1)) is None
    assert find_upload(store, "iris", "u3") is None


def test_unknown_version_says_which(registry: Any, store: MemoryStore) -> None:
    registry.commit("u1")

    with pytest.raises(VersionNotFound, match="'iris' has no version 7"):
        read_version(store, "iris", 7)


def test_conflict_that_left_no_version_behind_leaves_no_gap(
    store: MemoryStore, watch: Any, registry_of: Any
) -> None:
    busy = [version_key("iris", 1)]

    def busy_at_first(method: str, key: str, call: Callable[[], Any]) -> Any:
        if method == "create" and key in busy:
            busy.remove(key)
            raise ObjectExists(key=key)
        return call()

    manifest = registry_of(watch(store, busy_at_first)).commit("u1")

    assert manifest.version == 1
    assert not busy


def test_eight_racing_uploads_make_eight_versions_and_the_newest_is_live(
    registry: Any, store: MemoryStore, checks: Any
) -> None:
    start = threading.Barrier(8)

    def race(upload: str) -> int:
        start.wait()
        return int(registry.publish(upload).version)

    with ThreadPoolExecutor(8) as pool:
        numbers = list(pool.map(race, [f"u{number}" for number in range(8)]))

    assert sorted(numbers) == list(range(1, 9))
    assert registry.shares() == {8: 100}
    checks.invariants(store)


def test_eight_racing_deliveries_of_one_upload_make_one_version(
    registry: Any, store: MemoryStore, checks: Any
) -> None:
    start = threading.Barrier(8)

    def race(_: int) -> int:
        start.wait()
        return int(registry.publish("u1").version)

    with ThreadPoolExecutor(8) as pool:
        numbers = list(pool.map(race, range(8)))

    assert numbers == [1] * 8
    assert registry.alias().revision == 1
    checks.all_settled(store)


def test_deleted_version_leaves_a_tombstone_and_its_number_stays_taken(
    registry: Any, store: MemoryStore, checks: Any
) -> None:
    registry.commit("u1")
    registry.commit("u2")

    tombstone = registry.delete(2)

    assert (tombstone.version, tombstone.upload, tombstone.deleted.by) == (2, "u2", "ann")
    assert find_version(store, "iris", 2) == tombstone
    assert isinstance(find_version(store, "iris", 1), Manifest)
    assert registry.commit("u3").version == 3
    checks.all_settled(store)


def test_read_of_a_deleted_version_says_so(registry: Any, store: MemoryStore) -> None:
    registry.commit("u1")
    registry.delete(1)

    with pytest.raises(VersionDeleted, match="Version 1 of model 'iris' was deleted"):
        read_version(store, "iris", 1)


def test_version_that_never_was_cannot_be_deleted(registry: Any) -> None:
    with pytest.raises(VersionNotFound):
        registry.delete(1)


def test_names_are_checked_before_anything_is_deleted(registry: Any) -> None:
    registry.model = "../iris"

    with pytest.raises(InvalidName):
        registry.delete(1)


def test_version_that_answers_is_not_deleted(registry: Any, store: MemoryStore) -> None:
    registry.publish("u1")

    with pytest.raises(VersionInUse, match="alias 'live' routes requests to it"):
        registry.delete(1)

    assert registry.alias().stable == read_version(store, "iris", 1)


def test_canary_is_not_deleted(registry: Any) -> None:
    registry.publish("u1")
    registry.commit("u2")
    registry.set({1: 90, 2: 10})

    with pytest.raises(VersionInUse, match="routes requests to"):
        registry.delete(2)


def test_shadow_is_not_deleted(registry: Any) -> None:
    registry.publish("u1")
    registry.commit("u2")
    registry.shadow(2)

    with pytest.raises(VersionInUse, match="copies requests to"):
        registry.delete(2)


def test_version_that_a_rollback_would_restore_is_not_deleted(registry: Any) -> None:
    registry.publish("u1")
    registry.publish("u2")

    with pytest.raises(VersionInUse, match="would roll back to"):
        registry.delete(1)


def test_version_is_deleted_once_no_alias_would_return_to_it(registry: Any, store: MemoryStore) -> None:
    for upload in ("u1", "u2", "u3"):
        registry.publish(upload)

    registry.delete(1)

    assert isinstance(find_version(store, "iris", 1), Tombstone)


def test_refused_deletion_leaves_no_mark(registry: Any, store: MemoryStore) -> None:
    registry.publish("u1")
    before = store.get(version_key("iris", 1))

    with pytest.raises(VersionInUse):
        registry.delete(1)

    assert store.get(version_key("iris", 1)) == before


def test_deletion_asked_for_again_by_the_same_key_has_the_same_answer(
    registry: Any, store: MemoryStore, checks: Any
) -> None:
    registry.commit("u1")
    tombstone = registry.delete(1, key="k")

    assert registry.delete(1, key="k") == tombstone
    checks.all_settled(store)


def test_deletion_asked_for_again_by_another_key_says_that_it_is_done(registry: Any) -> None:
    registry.commit("u1")
    registry.delete(1)

    with pytest.raises(VersionDeleted):
        registry.delete(1)


def test_key_of_another_change_deletes_nothing(registry: Any, store: MemoryStore) -> None:
    registry.commit("u1")
    registry.commit("u2")
    registry.delete(1, key="k")

    with pytest.raises(KeyReused):
        registry.delete(2, key="k")

    assert isinstance(find_version(store, "iris", 2), Manifest)


def interrupted(store: MemoryStore, watch: Any, registry_of: Any, *, at: str) -> None:
    """Delete version 1, and die right before writing to the key `at`."""

    def die(method: str, key: str, call: Callable[[], Any]) -> Any:
        if method == "replace" and key == at:
            raise Crash
        return call()

    with pytest.raises(Crash):
        registry_of(watch(store, die)).delete(1, key="interrupted")


def test_version_whose_deletion_was_interrupted_cannot_be_pointed_at(
    registry: Any, store: MemoryStore, watch: Any, registry_of: Any
) -> None:
    registry.commit("u1")
    registry.publish("u2")
    interrupted(store, watch, registry_of, at=alias_key("iris", "live"))

    with pytest.raises(VersionClosing):
        registry.set({1: 100})


def test_interrupted_deletion_goes_on_when_it_is_asked_for_again(
    registry: Any, store: MemoryStore, watch: Any, registry_of: Any, checks: Any
) -> None:
    registry.commit("u1")
    registry.publish("u2")
    interrupted(store, watch, registry_of, at=alias_key("iris", "live"))

    tombstone = registry.delete(1, key="interrupted")

    assert find_version(store, "iris", 1) == tombstone
    checks.all_settled(store)


def test_deletion_that_somebody_else_interrupted_is_finished_by_whoever_asks(
    registry: Any, store: MemoryStore, watch: Any, registry_of: Any, checks: Any
) -> None:
    registry.commit("u1")
    registry.publish("u2")
    interrupted(store, watch, registry_of, at=alias_key("iris", "live"))

    tombstone = registry.delete(1, key="another")

    assert tombstone.deleted.id == "another"
    checks.all_settled(store)


def test_version_is_opened_again_if_an_alias_took_it_meanwhile(
    registry: Any, store: MemoryStore, watch: Any, registry_of: Any
) -> None:
    """The move is decided before the version is marked, and written before the aliases are fenced."""
    registry.commit("u1")
    registry.publish("u2")
    moves = [lambda: registry.set({1: 100})]
    marked: list[bool] = []

    def move_first(method: str, key: str, call: Callable[[], Any]) -> Any:
        if (method, key) == ("replace", version_key("iris", 1)) and moves:
            moves.pop()()
            marked.append(True)
        return call()

    with pytest.raises(VersionInUse, match="routes requests to"):
        registry_of(watch(store, move_first)).delete(1)

    assert marked
    assert read_version(store, "iris", 1).closing is None
    assert registry.shares() == {1: 100}


def test_bytes_of_a_version_never_stand_there_twice(
    registry: Any, store: MemoryStore, watch: Any, registry_of: Any
) -> None:
    """On S3 an etag tells bytes apart: who read a version before it was marked must not pass for after."""
    registry.commit("u1")
    registry.publish("u2")
    moves = [lambda: registry.set({1: 100})]
    written = [store.get(version_key("iris", 1)).data]

    def keep(method: str, key: str, call: Callable[[], Any]) -> Any:
        if (method, key) == ("replace", version_key("iris", 1)):
            if moves:
                moves.pop()()
            call()
            written.append(store.get(key).data)
            return None
        return call()

    with pytest.raises(VersionInUse):
        registry_of(watch(store, keep)).delete(1)

    assert len(written) == 3
    assert len(set(written)) == 3


def test_upload_whose_publishing_was_interrupted_before_its_entry_gets_it_when_it_is_found(
    registry: Any, store: MemoryStore, watch: Any, registry_of: Any, checks: Any
) -> None:
    def die(method: str, key: str, call: Callable[[], Any]) -> Any:
        if method == "create" and key.startswith("audit/"):
            raise Crash
        return call()

    with pytest.raises(Crash):
        registry_of(watch(store, die)).commit("u1")

    find_upload(store, "iris", "u1")

    assert [entry.subject for entry in checks.audit(store)] == ["version 1"]
    checks.all_settled(store)


def test_stray_object_among_the_aliases_does_not_keep_versions_from_deletion(
    registry: Any, store: MemoryStore
) -> None:
    registry.commit("u1")
    store.put("models/iris/aliases/notes.txt", b"mine")
    store.put("models/iris/aliases/old/live.json", b"mine")

    assert registry.delete(1).version == 1
