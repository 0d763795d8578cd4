"""A backup is whole or says that it is not; what is restored is what was there, whoever dies on the way."""

from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from lampyris.adapters.folder_store import FolderStore
from lampyris.adapters.memory_store import MemoryStore
from lampyris.domain.layout import BLOBS, alias_key, audit_key, blob_key, version_key
from lampyris.domain.manifest import PART_SIZE_BYTES, Manifest
from lampyris.domain.store import Store
from lampyris.errors import (
    CopyDamaged,
    ModelNotFound,
    NoBackup,
    NoRoomForBackup,
    NotFound,
    RestoreConflict,
    VersionInUse,
)
from lampyris.registry.backup import back_up
from lampyris.registry.changes import Author
from lampyris.registry.copying import Copied, read_index, read_list
from lampyris.registry.documents import find_version, list_models, list_versions
from lampyris.registry.erasure import erase
from lampyris.registry.restoration import restore
from lampyris.registry.verification import verify

NOW = datetime(2026, 7, 1, tzinfo=UTC)
KEYS = count()


class Crash(BaseException):
    """The process ends here."""


def _back_up(store: Store, target: Store, *, key: str = "", **named: Any) -> Copied:
    author = Author(key=key or f"backup {next(KEYS)}", by="ann")
    return back_up(store, target, author=author, now=NOW, **named)


def _restore(source: Store, store: Store, *, key: str = "", **named: Any) -> Copied:
    author = Author(key=key or f"restore {next(KEYS)}", by="ann")
    return restore(source, store, author=author, now=NOW, **named)


@pytest.fixture
def target() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
def empty() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
def lived(registry: Any, registry_of: Any) -> Any:
    """Give a registry two models with a past."""
    for upload in ("u1", "u2", "u3"):
        registry.publish(upload)
    registry.commit("u4")
    registry.delete(4)
    registry.set({1: 90, 2: 10})
    registry.shadow(3)
    registry.set({3: 100}, "other")
    beside = registry_of(registry.store)
    beside.model = "rose"
    beside.publish("u1")
    beside.publish("other")
    registry.store.put("rejected/iris/u0.json", b'{"code": "not-onnx"}')
    return registry


def _documents(store: Store, prefix: str = "models/") -> dict[str, bytes]:
    return {entry.key: store.get(entry.key).data for entry in store.list(prefix)}


def _blobs(store: Store) -> set[str]:
    return {entry.key for entry in store.list(BLOBS)}


def test_what_is_restored_is_what_was_there(
    lived: Any, target: MemoryStore, empty: MemoryStore, registry_of: Any, checks: Any
) -> None:
    copied = _back_up(lived.store, target)
    before = len(checks.audit(lived.store))

    restored = _restore(target, empty)

    assert (copied.blobs, restored.blobs, restored.skipped) == (4, 4, 0)
    assert copied.documents == restored.documents
    assert _documents(empty) == _documents(lived.store)
    assert _documents(empty, "rejected/") == _documents(lived.store, "rejected/")
    assert _blobs(empty) == _blobs(lived.store) - {_blob_of_deleted(lived)}
    assert [entry.change.action for entry in checks.audit(empty)[before - 1 :]] == ["backup", "restore"]
    assert verify(empty).findings == verify(empty).pending == ()
    assert registry_of(empty).publish("u9").version == 5


def _blob_of_deleted(registry: Any) -> str:
    import hashlib

    return blob_key(hashlib.sha256(b"graph of u4").hexdigest())


def test_garbage_and_what_passes_is_not_copied(lived: Any, target: MemoryStore) -> None:
    lived.store.put("inbox/iris/u1/model.onnx", b"x")
    lived.store.put("reservations/iris/u1.json", b"{}")
    lived.store.put("tuned/x/y.json", b"{}")

    _back_up(lived.store, target)

    folders = {entry.key.partition("/")[0] for entry in target.list("")}
    assert folders == {"audit", "backup.json", "backup-list.json", "blobs", "changes", "models", "rejected"}


def test_a_backup_that_is_done_is_not_made_again_by_its_key(lived: Any, target: MemoryStore) -> None:
    first = _back_up(lived.store, target, key="b")
    lived.publish("u5")

    again = _back_up(lived.store, target, key="b")

    assert again == first
    assert _back_up(lived.store, MemoryStore(), key="b").documents > first.documents


def test_a_second_backup_copies_what_is_new(lived: Any, target: MemoryStore, empty: MemoryStore) -> None:
    first = _back_up(lived.store, target)
    lived.publish("u5")

    second = _back_up(lived.store, target)

    assert (first.blobs, second.blobs) == (4, 1)
    assert second.documents < 16
    assert second.skipped > first.documents
    _restore(target, empty)
    assert _documents(empty) == _documents(lived.store)


def test_what_went_since_belongs_to_the_next_backup_no_longer(
    lived: Any, target: MemoryStore, empty: MemoryStore
) -> None:
    _back_up(lived.store, target)
    erase(lived.store, "rose", author=Author(key="erase", by="ann"), now=NOW)
    _back_up(lived.store, target)

    _restore(target, empty)

    assert _documents(empty) == _documents(lived.store)
    assert verify(empty).findings == ()


def test_one_model_alone_comes_with_what_it_names(
    lived: Any, target: MemoryStore, empty: MemoryStore, registry_of: Any
) -> None:
    _back_up(lived.store, target, model="iris")

    _restore(target, empty)

    assert list_models(empty) == ["iris"]
    assert _documents(empty) == _documents(lived.store, "models/iris/")
    assert len(_blobs(empty)) == 3
    assert verify(empty).findings == verify(empty).pending == ()


def test_a_model_is_restored_into_a_registry_with_an_audit_of_its_own(
    lived: Any, target: MemoryStore, empty: MemoryStore, registry_of: Any, checks: Any
) -> None:
    _back_up(lived.store, target)
    other = registry_of(empty)
    other.model = "tulip"
    other.publish("u1")

    _restore(target, empty, model="iris", key="iris")
    _restore(target, empty, key="all that is missing")

    assert list_models(empty) == ["iris", "rose", "tulip"]
    entries = checks.audit(empty)
    told = [entry.subject for entry in entries if entry.model == "iris" and entry.subject]
    assert told[:6] == ["version 1", "version 2", "version 3", "version 4", "alias live", "alias other"]
    iris = registry_of(empty)
    iris.promote()
    iris.roll_back()
    iris.set({3: 100})
    iris.publish("u9")
    checks.audit(empty)
    assert verify(empty).findings == verify(empty).pending == ()


def test_a_registry_that_lost_something_gets_it_back(lived: Any, target: MemoryStore) -> None:
    _back_up(lived.store, target)
    whole = _documents(lived.store)
    for key in (version_key("iris", 2), alias_key("rose", "live"), *_blobs(lived.store)):
        lived.store.delete(key)

    restored = _restore(target, lived.store)

    assert _documents(lived.store) == whole
    assert (restored.documents, restored.blobs) == (2, 4)
    assert verify(lived.store).findings == ()


def test_nothing_is_overwritten(lived: Any, target: MemoryStore) -> None:
    _back_up(lived.store, target)
    lived.promote(3)
    before = _documents(lived.store, "")

    with pytest.raises(RestoreConflict) as conflict:
        _restore(target, lived.store)

    assert conflict.value.key == alias_key("iris", "live")
    assert _documents(lived.store, "") == before


def test_an_erased_model_is_not_brought_back_where_it_was_erased(lived: Any, target: MemoryStore) -> None:
    _back_up(lived.store, target)
    erase(lived.store, "iris", author=Author(key="erase", by="ann"), now=NOW)

    with pytest.raises(RestoreConflict):
        _restore(target, lived.store, model="iris")


def test_what_is_no_backup_is_not_restored(lived: Any, target: MemoryStore, empty: MemoryStore) -> None:
    with pytest.raises(NoBackup, match="nothing stands at"):
        _restore(target, empty)
    _back_up(lived.store, target, may_go_on=partial(next, iter([True] * 5), False))

    with pytest.raises(NoBackup, match="not complete"):
        _restore(target, empty)

    assert _documents(empty, "") == {}


def test_a_model_that_is_not_there_is_not_found(lived: Any, target: MemoryStore, empty: MemoryStore) -> None:
    with pytest.raises(ModelNotFound):
        _back_up(lived.store, target, model="tulip")
    _back_up(lived.store, target)

    with pytest.raises(ModelNotFound):
        _restore(target, empty, model="tulip")

    assert _documents(empty, "") == {}


def test_a_backup_goes_into_an_empty_place_or_to_the_one_of_the_same(
    lived: Any, target: MemoryStore, empty: MemoryStore, registry_of: Any
) -> None:
    with pytest.raises(NoRoomForBackup, match="no backup"):
        _back_up(lived.store, lived.store)
    _back_up(lived.store, target)
    other = registry_of(empty)
    other.publish("another first upload")

    with pytest.raises(NoRoomForBackup, match="whole registry"):
        _back_up(lived.store, target, model="iris")
    with pytest.raises(NoRoomForBackup, match="another registry"):
        _back_up(other.store, target)


def test_whatever_is_altered_or_removed_in_a_backup_is_not_restored(
    lived: Any, target: MemoryStore, registry_of: Any
) -> None:
    _back_up(lived.store, target)
    for key, data in _documents(target, "").items():
        altered = data[: len(data) // 2] + bytes([data[len(data) // 2] ^ 1]) + data[len(data) // 2 + 1 :]
        for damaged in (altered, data[:-1], None):
            target.put(key, damaged or b"")
            if damaged is None:
                target.delete(key)
            with pytest.raises((CopyDamaged, NoBackup)) as refused:
                _restore(target, MemoryStore())
            assert key in str(refused.value)
        target.put(key, data)


@pytest.mark.parametrize("lost", ["blob", "version", "revision", "audit"])
def test_a_registry_that_is_damaged_is_not_backed_up_as_if_it_were_whole(
    lived: Any, target: MemoryStore, lost: str
) -> None:
    keys = {
        "blob": min(_blobs(lived.store) - {_blob_of_deleted(lived)}),
        "version": version_key("iris", 1),
        "revision": "models/iris/revisions/live/000000002.json",
        "audit": audit_key(3),
    }
    lived.store.put(keys[lost], b"altered")
    with pytest.raises(CopyDamaged) as damaged:
        _back_up(lived.store, target)
    lived.store.delete(keys[lost])
    with pytest.raises(CopyDamaged) as missing:
        _back_up(lived.store, target)

    assert (damaged.value.key, damaged.value.place) == (keys[lost], "registry")
    assert (missing.value.key, missing.value.place) == (keys[lost], "registry")


def test_what_is_not_whole_in_a_backup_is_copied_anew(lived: Any, target: MemoryStore) -> None:
    _back_up(lived.store, target)
    index = read_index(target)
    assert index is not None
    one, other = sorted(copy.key for copy in read_list(target, index) if copy.key.startswith(BLOBS))[:2]
    target.delete(one)
    target.put(other, b"cut off")

    again = _back_up(lived.store, target)

    assert again.blobs == 2
    _restore(target, MemoryStore())


def test_large_blobs_are_copied_in_parts(registry: Any, target: MemoryStore, watch: Any) -> None:
    manifest = registry.publish("u1")
    key = blob_key(manifest.artifact.graph.digest)
    read: list[str] = []

    def note(method: str, called: str, call: Callable[[], Any]) -> Any:
        if called == key:
            read.append(method)
        return call()

    _back_up(watch(registry.store, note), target)

    assert set(read) == {"get_range"}
    assert PART_SIZE_BYTES < 10_000_000


def test_a_folder_takes_a_backup_and_gives_it_back(lived: Any, tmp_path: Path, registry_of: Any) -> None:
    folder = FolderStore(tmp_path / "backup")
    _back_up(lived.store, folder)
    lived.publish("u5")
    _back_up(lived.store, folder)

    restored = FolderStore(tmp_path / "restored")
    _restore(folder, restored)

    assert _documents(restored) == _documents(lived.store)
    assert verify(restored).findings == ()


def test_progress_is_told(lived: Any, target: MemoryStore, empty: MemoryStore) -> None:
    told: list[tuple[int, int]] = []

    _back_up(lived.store, target, progress=lambda done, total: told.append((done, total)))
    last = told[-1]
    _restore(target, empty, progress=lambda done, total: told.append((done, total)))

    assert last[0] <= last[1]
    assert told[-1][0] == told[-1][1]
    assert all(done <= total for done, total in told)


def test_whoever_has_little_time_gets_there_in_steps(
    lived: Any, target: MemoryStore, empty: MemoryStore
) -> None:
    for calls in count(1):
        copied = _back_up(
            lived.store, target, key="b", may_go_on=partial(next, iter([True] * 8 * calls), False)
        )
        if copied.done:
            break
    steps = 0
    while not _restore(target, empty, key="r", may_go_on=partial(next, iter([True] * 8), False)).done:
        steps += 1

    assert steps > 3
    assert _documents(empty) == _documents(lived.store)
    assert verify(empty).findings == ()


def test_a_registry_with_an_audit_of_its_own_is_told_in_steps(
    lived: Any, target: MemoryStore, empty: MemoryStore, registry_of: Any, checks: Any
) -> None:
    _back_up(lived.store, target)
    lily = registry_of(empty)
    lily.model = "lily"
    lily.publish("u1")
    steps = 0
    while not _restore(target, empty, key="r", may_go_on=partial(next, iter([True] * 3), False)).done:
        steps += 1

    told = [entry for entry in checks.audit(empty) if entry.change.action == "restore" and entry.subject]
    assert steps > 5
    assert len(told) == len({(entry.model, entry.subject) for entry in told}) > 5
    assert verify(empty).findings == ()


def test_a_restore_that_is_done_answers_alike(
    lived: Any, target: MemoryStore, empty: MemoryStore, registry_of: Any
) -> None:
    _back_up(lived.store, target)
    first = _restore(target, empty, key="r")
    registry_of(empty).publish("u9")

    assert _restore(target, empty, key="r") == first


def _copy_of(store: MemoryStore) -> MemoryStore:
    copy = MemoryStore()
    copy._writings = {key: [*writings] for key, writings in store._writings.items()}
    copy._standing, copy._keys, copy._count = dict(store._standing), [*store._keys], store._count
    return copy


def _die_at(at: int, store: Store, watch: Any, do: Callable[[Store], object], *, is_after: bool) -> int:
    """Do something until the call of this number, counted from 0; return how many there were."""
    calls = 0

    def die(method: str, key: str, call: Callable[[], Any]) -> Any:
        nonlocal calls
        calls += 1
        if calls == at + 1 and not is_after:
            raise Crash
        result = call()
        if calls == at + 1:
            raise Crash
        return result

    with suppress(Crash):
        do(watch(store, die))
    return calls


@pytest.mark.parametrize("model", [None, "iris"])
@pytest.mark.parametrize("is_after", [False, True], ids=["before", "after"])
def test_whoever_dies_a_restore_leaves_nothing_half_and_is_finished_by_the_same_key(
    lived: Any, target: MemoryStore, watch: Any, checks: Any, model: str | None, *, is_after: bool
) -> None:
    _back_up(lived.store, target)
    for at in count():
        store = MemoryStore()
        calls = _die_at(
            at,
            store,
            watch,
            lambda watched: _restore(target, watched, key="r", model=model),
            is_after=is_after,
        )
        for name in list_models(store):
            checks.aliases(store, name)
            for version in list_versions(store, name):
                document = find_version(store, name, version)
                if isinstance(document, Manifest):
                    assert store.size_bytes(blob_key(document.artifact.graph.digest))
        finished = _restore(target, store, key="r", model=model)

        assert finished.done
        assert _documents(store) == _documents(lived.store, f"models/{model}/" if model else "models/")
        assert (
            len([one for one in checks.audit(store) if one.change.action == "restore" and not one.subject])
            == 1
        )
        assert verify(store).findings == verify(store).pending == ()
        assert not list(store.list("reservations/"))
        if calls <= at:
            break
    assert calls > 30


def test_an_alias_is_not_restored_when_its_version_was_deleted_meanwhile(
    lived: Any, target: MemoryStore, watch: Any, registry_of: Any, checks: Any
) -> None:
    _back_up(lived.store, target)
    deleted = 0
    for at in count():
        store = MemoryStore()
        calls = 0

        def delete(
            method: str, key: str, call: Callable[[], Any], at: int = at, store: MemoryStore = store
        ) -> Any:
            nonlocal calls
            calls += 1
            if calls == at + 1:
                with suppress(NotFound, VersionInUse):
                    registry_of(store).delete(3)
            return call()

        with suppress(RestoreConflict):
            _restore(target, watch(store, delete), model="iris")
        checks.aliases(store, "iris")
        deleted += any(entry.change.action == "delete" for entry in checks.audit(store))
        if calls <= at:
            break
    assert deleted > 3


@pytest.mark.parametrize("is_after", [False, True], ids=["before", "after"])
def test_whoever_dies_a_backup_is_complete_or_says_that_it_is_not(
    lived: Any, watch: Any, *, is_after: bool
) -> None:
    refused = 0
    for at in count():
        store, target = _copy_of(lived.store), MemoryStore()
        back_up_there = partial(_back_up, store, key="b")
        calls = _die_at(at, target, watch, back_up_there, is_after=is_after)
        try:
            _restore(target, MemoryStore())
        except NoBackup:
            refused += 1
        _back_up(store, target, key="b")
        restored = MemoryStore()
        _restore(target, restored)
        assert _documents(restored) == _documents(lived.store)
        if calls <= at:
            break
    assert refused > 30


def _delete(registry: Any) -> None:
    for version in (3, 1, 3):
        registry.set({version: 100})
        registry.shadow(None)
    registry.delete(2)


CHANGES: dict[str, Callable[[Any], object]] = {
    "publish": lambda registry: registry.publish("u9"),
    "promote": lambda registry: registry.promote(3),
    "delete": _delete,
    "erase": lambda registry: erase(registry.store, "iris", author=Author(key="e", by="ann"), now=NOW),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_backup_of_a_registry_that_changes_meanwhile_is_one_that_was(
    lived: Any, watch: Any, registry_of: Any, checks: Any, name: str
) -> None:
    for at in count():
        store, target, restored = _copy_of(lived.store), MemoryStore(), MemoryStore()
        calls = 0

        def change(
            method: str, key: str, call: Callable[[], Any], at: int = at, store: MemoryStore = store
        ) -> Any:
            nonlocal calls
            calls += 1
            if calls == at + 1:
                CHANGES[name](registry_of(store))
            return call()

        _back_up(watch(store, change), target)
        _restore(target, restored)

        for model in list_models(restored):
            checks.aliases(restored, model)
        assert verify(restored).findings == ()
        if calls <= at:
            break
    assert calls > 60
