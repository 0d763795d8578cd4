"""After an erasure nothing of a model is found, in any generation, and nothing beside it is torn."""

from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from itertools import count
from threading import Semaphore, Thread
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lampyris.adapters.memory_store import MemoryStore
from lampyris.domain.layout import alias_key, blob_key, version_key
from lampyris.domain.manifest import Alias, Evidence, Manifest, Rejection, Tombstone
from lampyris.domain.sealed import seal, unseal
from lampyris.domain.store import Store
from lampyris.errors import AliasNotFound, Conflict, InvalidName, ModelNotFound, NotFound
from lampyris.registry.aliases import publish_to_alias
from lampyris.registry.blobs import put_blobs, release
from lampyris.registry.changes import Author
from lampyris.registry.documents import (
    decode_version,
    find_version,
    list_aliases,
    list_versions,
    read_alias,
    write_rejection,
)
from lampyris.registry.erasure import Erased, erase
from lampyris.registry.verification import verify
from lampyris.registry.versions import commit_version

NOW = datetime(2026, 7, 1, tzinfo=UTC)
SECRETS = (b"SECRET-weights", b"SECRET-metric", b"SECRET-label", b"SECRET-sentence", b"SECRET-picture")


class Crash(BaseException):
    """The process ends here."""


def _erase(store: Store, model: str = "iris", *, key: str = "erase", **named: Any) -> Erased:
    return erase(store, model, author=Author(key=key, by="ann", reason="asked to"), now=NOW, **named)


def _commit_secret(registry: Any, upload: str) -> Manifest:
    """Commit a version that is full of secrets."""
    owner = f"{registry.model}/{upload}"
    graph, bill = put_blobs(
        registry.store, owner, [f"SECRET-weights {upload}".encode(), b"bill: SECRET-label"]
    )
    draft = msgspec.structs.replace(
        registry.draft(upload, graph),
        metrics={"SECRET-metric": {"accuracy": 0.99}},
        provenance={"notes": "SECRET-label"},
        evidence=Evidence(bill_of_materials=bill),
    )
    made = commit_version(registry.store, draft, None)
    assert isinstance(made, Manifest)
    release(registry.store, owner)
    return made


@pytest.fixture
def secret(registry: Any, registry_of: Any) -> Any:
    """Fill a registry with a model of secrets, with a past, and one beside it that shares a blob."""
    store = registry.store
    for upload in ("u1", "u2", "u3", "u4"):
        _commit_secret(registry, upload)
    registry.set({1: 100})
    registry.set({2: 100})
    registry.set({2: 90, 3: 10})
    registry.set({3: 100}, "other")
    registry.shadow(2, "other")
    registry.delete(4)
    store.put("inbox/iris/u1/model.onnx", b"SECRET-weights")
    store.put("inbox/iris/u1/model.onnx", b"SECRET-weights again")
    store.delete("inbox/iris/u1/model.onnx")
    write_rejection(
        store,
        Rejection(model="iris", upload="u0", code="not-onnx", detail="SECRET-sentence", rejected_at=NOW),
    )
    store.put("shadow/iris/live/1/x", b"SECRET-picture")
    store.put("shadowed/iris/live/1/x.json", b"SECRET-picture")
    beside = registry_of(store)
    beside.model = "rose"
    beside.publish("shared")
    registry.commit("shared")
    return registry


def _contents(store: MemoryStore) -> dict[str, list[bytes]]:
    """Return all that a bucket keeps, in whichever generation."""
    return {key: [one.data or b"" for one in writings] for key, writings in store._writings.items()}


def _check_erased(store: MemoryStore, *, versions: int, spared: int = 0) -> None:
    for key, contents in _contents(store).items():
        if spared and key.startswith("blobs/"):
            continue  # a publish has reserved them
        assert not key.startswith(("inbox/iris/", "rejected/iris/", "shadow/", "shadowed/", "tuned/")), key
        for content in contents:
            assert not any(secret in content for secret in SECRETS), key
    assert list_versions(store, "iris") == list(range(1, versions + 1))
    for version in range(1, versions + 1):
        tombstone = find_version(store, "iris", version)
        assert isinstance(tombstone, Tombstone)
        assert tombstone.upload is None
    left = {key for key in _contents(store) if key.startswith("models/iris/")}
    left -= {version_key("iris", version) for version in range(1, versions + 1)}
    assert all(key.startswith("models/iris/aliases/") for key in left)
    for key in left:  # a deletion beside may have written to what was left of it
        assert not unseal(store.get(key).data).decode(Alias).routes


def test_nothing_of_the_content_is_left_in_any_generation(secret: Any, checks: Any) -> None:
    before = sum(len(one) for contents in _contents(secret.store).values() for one in contents)

    erased = _erase(secret.store)

    _check_erased(secret.store, versions=5)
    after = sum(len(one) for contents in _contents(secret.store).values() for one in contents)
    assert erased.done
    assert erased.versions == 5
    assert erased.spared == 0
    assert before - after > erased.bytes * 0.8
    assert verify(secret.store).findings == ()


def test_nothing_that_was_overwritten_stands_again_for_a_moment(secret: Any, watch: Any) -> None:
    standing: dict[str, int] = {}

    def look(method: str, key: str, call: Callable[[], Any]) -> Any:
        result = call()
        for stands, writing in secret.store._standing.items():
            assert standing.get(stands, 0) <= writing.number, stands
            standing[stands] = writing.number
        return result

    assert _erase(watch(secret.store, look)).done


def test_what_another_model_has_is_left_alone(secret: Any, registry_of: Any) -> None:
    beside = registry_of(secret.store)
    beside.model = "rose"
    before = {key: found for key, found in _contents(secret.store).items() if key.startswith("models/rose/")}

    _erase(secret.store)

    after = {key: found for key, found in _contents(secret.store).items() if key.startswith("models/rose/")}
    assert after == before
    assert secret.store.size_bytes(blob_key(beside.alias().stable.artifact.graph.digest))


def test_no_writing_of_its_documents_is_left_but_tombstones(secret: Any) -> None:
    _erase(secret.store)

    left = list(secret.store.generations("models/iris/"))
    assert [one.key for one in left] == [version_key("iris", version) for version in range(1, 6)]


def test_the_model_has_no_alias_any_more_and_its_versions_say_that_they_are_gone(secret: Any) -> None:
    _erase(secret.store)

    assert list_aliases(secret.store, "iris") == []
    with pytest.raises(AliasNotFound):
        read_alias(secret.store, "iris", "live")
    with pytest.raises(NotFound):
        secret.promote(1)


def test_a_model_may_be_published_to_again_and_gets_the_next_number(secret: Any, checks: Any) -> None:
    _erase(secret.store)

    manifest = secret.publish("u1x")

    assert manifest.version == 6
    assert (secret.shares(), secret.alias().revision) == ({6: 100}, 1)
    assert checks.invariants(secret.store)
    assert verify(secret.store).findings == ()


def test_a_model_may_be_erased_again(secret: Any) -> None:
    _erase(secret.store, key="1")
    secret.publish("u1x")

    again = _erase(secret.store, key="2")

    assert (again.versions, again.done) == (1, True)
    _check_erased(secret.store, versions=6)


def test_the_audit_tells_of_it_once_and_before_anything_is_changed(
    secret: Any, watch: Any, checks: Any
) -> None:
    calls = []

    def note(method: str, key: str, call: Callable[[], Any]) -> Any:
        if method in {"put", "create", "replace", "delete", "purge"}:
            calls.append(f"{method} {key.partition('/')[0]}")
        return call()

    _erase(watch(secret.store, note))
    _erase(secret.store)

    entries = [entry for entry in checks.audit(secret.store) if entry.change.action == "erase"]
    assert [(entry.model, entry.change.reason, entry.details) for entry in entries] == [
        ("iris", "asked to", {})
    ]
    assert calls.index("create audit") < min(calls.index("replace models"), calls.index("purge models"))


def test_the_same_key_answers_alike_and_erases_nothing_that_came_later(secret: Any) -> None:
    first = _erase(secret.store)
    secret.publish("later")

    again = _erase(secret.store)

    assert again == first
    assert secret.shares() == {6: 100}


def test_what_is_not_there_cannot_be_erased(store: MemoryStore) -> None:
    with pytest.raises(ModelNotFound):
        _erase(store)
    with pytest.raises(InvalidName):
        _erase(store, "../rose")

    assert list(store.generations("")) == []


def test_what_was_uploaded_and_never_published_can_be_erased(store: MemoryStore) -> None:
    store.put("inbox/iris/u1/model.onnx", b"SECRET-weights")

    erased = _erase(store)

    assert (erased.versions, erased.objects, erased.done) == (0, 1, True)
    _check_erased(store, versions=0)


def test_damaged_documents_are_erased_like_any_other(secret: Any) -> None:
    secret.store.put(version_key("iris", 1), b'{"damaged": "SECRET-label"}')
    secret.store.put(alias_key("iris", "live"), b"SECRET-label")

    _erase(secret.store)

    _check_erased(secret.store, versions=5)


def test_blobs_of_a_publish_that_is_under_way_are_spared_and_counted(secret: Any) -> None:
    put_blobs(secret.store, "iris/u7", [b"about to be named"])

    erased = _erase(secret.store)

    assert (erased.spared, erased.done) == (1, True)
    assert list(secret.store.list("reservations/iris/u7/"))


def test_whoever_stops_early_goes_on_with_the_same_key(secret: Any, checks: Any) -> None:
    for calls in count():
        stopped = _erase(secret.store, may_go_on=partial(next, iter([True] * calls), False))
        checks.aliases(secret.store, "iris")
        if stopped.done:
            break

    _check_erased(secret.store, versions=5)
    assert calls > 5
    assert len([entry for entry in checks.audit(secret.store) if entry.change.action == "erase"]) == 1


def _copy_of(store: MemoryStore) -> MemoryStore:
    copy = MemoryStore()
    copy._writings = {key: [*writings] for key, writings in store._writings.items()}
    copy._standing, copy._keys, copy._count = dict(store._standing), [*store._keys], store._count
    return copy


@pytest.mark.parametrize("is_after", [False, True], ids=["before", "after"])
def test_whoever_dies_at_whichever_call_an_erasure_is_finished_by_the_same_key(
    secret: Any, watch: Any, checks: Any, *, is_after: bool
) -> None:
    calls = 0
    for at in count():
        store = _copy_of(secret.store)
        calls = _die_at(at, store, watch, is_after=is_after)
        checks.aliases(store, "iris")
        finished = _erase(store)

        assert finished.done
        _check_erased(store, versions=5)
        assert len([entry for entry in checks.audit(store) if entry.change.action == "erase"]) == 1
        assert verify(store).findings == ()
        if calls <= at:
            break
    assert calls > 50


def _die_at(at: int, store: MemoryStore, watch: Any, *, is_after: bool) -> int:
    """Erase until the call of this number, counted from 0; return how many there were."""
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
        _erase(watch(store, die))
    return calls


class Beside(Thread):
    """Does something else a store's call at a time, as far as it is let."""

    def __init__(self, do: Callable[[Any], object], store: Store, watch: Any, registry_of: Any) -> None:
        super().__init__(daemon=True)
        self._do = do
        self._registry = registry_of(watch(store, self._around))
        self._may = Semaphore(0)
        self._did = Semaphore(0)
        self.start()

    def _around(self, method: str, key: str, call: Callable[[], Any]) -> Any:
        self._did.release()
        self._may.acquire()
        return call()

    def run(self) -> None:
        with suppress(NotFound, Conflict):
            self._do(self._registry)
        for _ in range(1000):
            self._did.release()

    def steps(self, calls: int) -> None:
        """Let it make so many calls more, and return when it is about to make the next."""
        for _ in range(calls):
            self._did.acquire()
            self._may.release()
        self._did.acquire()
        self._did.release()

    def finish(self) -> None:
        for _ in range(1000):
            self._may.release()
        self.join(timeout=10)
        assert not self.is_alive()


def _publish_secret(registry: Any) -> None:
    manifest = _commit_secret(registry, "u9")
    author = Author(key="live 9", by="bob")
    publish_to_alias(registry.store, manifest, alias="live", author=author, now=NOW)


def _open_again(registry: Any) -> None:
    """Take the mark of a version away, as a deletion does that finds it in use, and point an alias at it."""
    key = version_key("iris", 1)
    found = registry.store.get(key)
    sealed = unseal(found.data)
    document = decode_version(sealed)
    if isinstance(document, Manifest):
        opened = seal(msgspec.structs.replace(document, closing=None), fence=sealed.fence + 1)
        registry.store.replace(key, opened.data, found.etag)
    registry.set({1: 100}, key="beside")


BESIDE: dict[str, Callable[[Any], object]] = {
    "open again": _open_again,
    "publish": _publish_secret,
    "set": lambda registry: registry.set({1: 100}, key="beside"),
    "promote": lambda registry: registry.promote(key="beside"),
    "roll back": lambda registry: registry.roll_back(key="beside"),
    "delete": lambda registry: registry.delete(1, key="beside"),
    "erase": lambda registry: _erase(registry.store, key="beside"),
}


def _check_ordered(store: MemoryStore, registry: Any, checks: Any, erased: Erased) -> None:
    """Check that what was done beside an erasure is either erased as well, or whole."""
    assert erased.done
    checks.aliases(store, "iris")
    if verify(store).findings:  # a move's second write came after all that, and is found
        assert {"revisions" in finding.key for finding in verify(store).findings} == {True}
        erased = _erase(store, key="once more")
    versions = list_versions(store, "iris")
    latest = find_version(store, "iris", versions[-1])
    if isinstance(latest, Manifest):
        assert registry.shares() == {6: 100}
        assert store.size_bytes(blob_key(latest.artifact.graph.digest))
    else:
        _check_erased(store, versions=len(versions), spared=erased.spared)
    assert verify(store).findings == ()


@pytest.mark.parametrize("name", BESIDE)
def test_what_is_done_at_any_moment_of_an_erasure_is_before_it_or_after_it(
    secret: Any, watch: Any, registry_of: Any, checks: Any, name: str
) -> None:
    stayed = 0
    for at in count():
        store = _copy_of(secret.store)
        calls = 0

        def do_beside(
            method: str, key: str, call: Callable[[], Any], at: int = at, store: MemoryStore = store
        ) -> Any:
            nonlocal calls
            calls += 1
            if calls == at + 1:
                with suppress(NotFound, Conflict):
                    BESIDE[name](registry_of(store))
            return call()

        erased = _erase(watch(store, do_beside))

        assert verify(store).findings == ()
        _check_ordered(store, registry_of(store), checks, erased)
        stayed += isinstance(find_version(store, "iris", list_versions(store, "iris")[-1]), Manifest)
        if calls <= at:
            break
    assert (stayed > 10) == (name == "publish")


@pytest.mark.parametrize("name", BESIDE)
@given(data=st.data())
@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_what_is_done_beside_an_erasure_is_before_it_or_after_it(
    secret: Any, watch: Any, registry_of: Any, checks: Any, name: str, data: st.DataObject
) -> None:
    store = _copy_of(secret.store)
    turns = data.draw(st.dictionaries(st.integers(0, 180), st.integers(1, 12), max_size=4))
    beside = Beside(BESIDE[name], store, watch, registry_of)
    calls = count()

    def take_turns(method: str, key: str, call: Callable[[], Any]) -> Any:
        beside.steps(turns.get(next(calls), 0))
        return call()

    erased = _erase(watch(store, take_turns))
    beside.finish()

    _check_ordered(store, registry_of(store), checks, erased)
