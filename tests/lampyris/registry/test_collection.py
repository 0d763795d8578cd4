"""Garbage goes, and nothing else does, whatever a publisher does meanwhile."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import combinations_with_replacement
from threading import Semaphore, Thread
from typing import Any

import msgspec
import pytest

from lampyris.adapters.memory_store import MemoryStore
from lampyris.domain.layout import BLOBS, blob_key, tuned_key, version_key, wish_key
from lampyris.domain.manifest import Artifact, Evidence
from lampyris.domain.sealed import seal
from lampyris.domain.store import Store
from lampyris.domain.tuned import Tuned
from lampyris.errors import DocumentDamaged, KeyReused
from lampyris.registry.blobs import put_blobs, release
from lampyris.registry.changes import Author
from lampyris.registry.collection import Collected, collect
from lampyris.registry.versions import commit_version

START = datetime(2026, 7, 1, tzinfo=UTC)
DAY = timedelta(days=1)
NONE = timedelta(0)


class Clock:
    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(clock: Clock) -> MemoryStore:
    return MemoryStore(now=clock)


def _collect(
    store: Store, now: datetime, *, grace: timedelta = NONE, key: str = "gc", **named: Any
) -> Collected:
    return collect(store, grace=grace, author=Author(key=key, by="ann"), now=now, **named)


def _put(store: Store, content: bytes, owner: str = "a/b") -> str:
    (blob,) = put_blobs(store, owner, [content])
    return blob_key(blob.digest)


def _garbage(store: Store, content: bytes = b"garbage") -> str:
    key = _put(store, content)
    release(store, "a/b")
    return key


def _keys(store: Store, prefix: str) -> set[str]:
    return {one.key for one in store.generations(prefix)}


def test_a_blob_that_nothing_names_goes_with_all_that_was_ever_written_of_it(
    store: MemoryStore, registry: Any
) -> None:
    named = blob_key(registry.publish("u1").artifact.graph.digest)
    key = _garbage(store)
    store.put(key, b"garbage")
    store.delete(key)

    collected = _collect(store, START)

    assert collected == Collected(blobs=1, objects=3, bytes=14, spared=0, done=True)
    assert _keys(store, BLOBS) == {named}


def test_a_blob_is_spared_for_the_time_of_grace(store: MemoryStore, clock: Clock) -> None:
    key = _garbage(store)
    clock.now += DAY - timedelta(seconds=1)

    early = _collect(store, clock.now, grace=DAY, key="early")

    clock.now += timedelta(seconds=1)
    assert (early.blobs, early.spared) == (0, 1)
    assert _keys(store, BLOBS) == {key}
    assert _collect(store, clock.now, grace=DAY, key="late").blobs == 1


def test_a_blob_that_was_put_again_is_as_young_as_that(store: MemoryStore, clock: Clock) -> None:
    key = _garbage(store)
    clock.now += 2 * DAY
    store.put(key, b"garbage")

    collected = _collect(store, clock.now, grace=DAY)

    assert collected.spared == 1
    assert len(list(store.generations(key.rpartition("/")[0] + "/"))) == 2


def test_a_reserved_blob_is_spared_until_the_reservation_is_a_day_old(
    store: MemoryStore, clock: Clock
) -> None:
    key = _put(store, b"about to be named", "iris/u1")
    clock.now += DAY

    spared = _collect(store, clock.now, key="1")

    clock.now += timedelta(seconds=1)
    assert (spared.blobs, spared.spared) == (0, 1)
    assert _keys(store, BLOBS) == {key}
    assert _collect(store, clock.now, key="2").blobs == 1
    assert not _keys(store, "reservations/")


def test_a_reservation_that_a_publisher_renewed_meanwhile_stays(
    store: MemoryStore, clock: Clock, watch: Any
) -> None:
    _put(store, b"about to be named", "iris/u1")
    clock.now += 2 * DAY

    def renew(method: str, key: str, call: Callable[[], Any]) -> Any:
        if method == "purge":
            _put(store, b"about to be named", "iris/u1")
        return call()

    _collect(watch(store, renew), clock.now)

    assert len(list(store.list("reservations/iris/u1/"))) == 1
    assert len(list(store.list(BLOBS))) == 1


def test_what_a_deleted_version_named_goes(store: MemoryStore, registry: Any) -> None:
    registry.publish("u1")
    registry.publish("u2")
    registry.publish("u3")
    deleted = registry.commit("u4")
    registry.delete(4)

    collected = _collect(store, START)

    assert collected.blobs == 1
    assert blob_key(deleted.artifact.graph.digest) not in _keys(store, BLOBS)


def test_what_two_versions_share_stays_until_both_are_gone(store: MemoryStore, registry_of: Any) -> None:
    iris, rose = registry_of(store), registry_of(store)
    rose.model = "rose"
    shared = blob_key(iris.commit("same").artifact.graph.digest)
    rose.commit("same")

    iris.delete(1)
    first = _collect(store, START, key="1")
    rose.delete(1)
    second = _collect(store, START, key="2")

    assert (first.blobs, second.blobs) == (0, 1)
    assert shared not in _keys(store, BLOBS)


def test_a_version_that_is_being_deleted_keeps_its_blobs(store: MemoryStore, registry: Any) -> None:
    manifest = registry.commit("u1")
    closing = msgspec.structs.replace(manifest, closing=manifest.published)
    store.put(version_key("iris", 1), seal(closing).data)

    assert _collect(store, START).blobs == 0


def test_what_an_alias_embeds_stays_though_somebody_removed_its_version(
    store: MemoryStore, registry: Any
) -> None:
    registry.publish("u1")
    store.delete(version_key("iris", 1))

    assert _collect(store, START).blobs == 0


def test_a_bill_of_materials_stays(store: MemoryStore, registry: Any) -> None:
    graph, bill = put_blobs(store, "iris/u1", [b"graph", b"bill"])
    draft = msgspec.structs.replace(registry.draft("u1", graph), evidence=Evidence(bill_of_materials=bill))
    commit_version(store, draft, None)
    release(store, "iris/u1")

    assert _collect(store, START).blobs == 0


def _tune(store: Store, artifact: Artifact, content: bytes) -> tuple[str, str]:
    """Make a form of an artifact for some CPU; return the keys of its document and its blob."""
    (blob,) = put_blobs(store, "tuned/x", [content])
    form = Artifact(graph=blob, weights=None, onnxruntime="1.31.1")
    tuned = Tuned(artifact=form, cpu="c", onnxruntime="1.31.1", speedup=2.0, made_at=START)
    key = tuned_key(artifact.digest, "c" * 32)
    store.create(key, msgspec.json.encode(tuned))
    store.put(wish_key(artifact.digest, "c" * 32), msgspec.json.encode(artifact))
    release(store, "tuned/x")
    return key, blob_key(blob.digest)


def test_a_form_for_a_cpu_stays_as_long_as_its_artifact_is_named(store: MemoryStore, registry: Any) -> None:
    manifest = registry.commit("u1")
    _tune(store, manifest.artifact, b"tuned")

    living = _collect(store, START, key="1")
    registry.delete(1)
    dead = _collect(store, START, key="2")

    assert living.blobs == 0
    assert dead.blobs == 2
    assert not _keys(store, "tuned/") | _keys(store, "tuning/") | _keys(store, BLOBS)


def test_a_damaged_form_names_nothing_and_a_damaged_version_stops_everything(
    store: MemoryStore, registry: Any
) -> None:
    document, _ = _tune(store, registry.commit("u1").artifact, b"tuned")
    store.put(document, b"{")
    form = _collect(store, START, key="1")
    key = _garbage(store)
    store.put(version_key("iris", 1), b"{")

    with pytest.raises(DocumentDamaged):
        _collect(store, START, key="2")

    assert form.blobs == 1
    assert key in _keys(store, BLOBS)


def test_the_audit_tells_of_it_before_anything_is_removed(store: MemoryStore, watch: Any) -> None:
    _garbage(store)
    calls = []

    def note(method: str, key: str, call: Callable[[], Any]) -> Any:
        calls.append(f"{method} {key.partition('/')[0]}")
        return call()

    _collect(watch(store, note), START)

    assert calls.index("create audit") < calls.index("purge blobs")
    assert "delete blobs" not in calls


def test_the_same_key_collects_once_and_answers_alike(store: MemoryStore, registry: Any, checks: Any) -> None:
    _garbage(store)
    first = _collect(store, START)
    _garbage(store, b"more")

    again = _collect(store, START + DAY)

    assert again == first
    assert len(checks.audit(store)) == 1
    with pytest.raises(KeyReused):
        _collect(store, START, grace=DAY)


@pytest.mark.parametrize("calls", range(2))
def test_what_is_interrupted_goes_on_with_the_same_key(
    store: MemoryStore, registry: Any, checks: Any, calls: int
) -> None:
    registry.publish("u1")
    _garbage(store)
    allowed = iter([True] * calls)

    stopped = _collect(store, START, may_go_on=lambda: next(allowed, False))
    finished = _collect(store, START)

    assert stopped == Collected()
    assert (finished.blobs, finished.done) == (1, True)
    assert len([entry for entry in checks.audit(store) if entry.change.action == "gc"]) == 1


def test_whoever_reads_many_versions_stops_in_time(store: MemoryStore, registry: Any, watch: Any) -> None:
    for number in range(300):
        registry.commit(f"u{number}")
    read = []

    def note(method: str, key: str, call: Callable[[], Any]) -> Any:
        read.append((method, key))
        return call()

    allowed = iter([True])
    stopped = _collect(watch(store, note), START, may_go_on=lambda: next(allowed, False))

    versions = {key for method, key in read if method == "get" and "/versions/" in key}
    assert stopped == Collected()
    assert 0 < len(versions) < 300


class Publisher(Thread):
    """Publishes what stands there as garbage, a step at a time; a step ends with a write that others see."""

    STEPS = ("put reservation", "put blob", "create version", "delete reservation")

    def __init__(self, store: Store, watch: Any, registry_of: Any) -> None:
        super().__init__(daemon=True)
        self._may = Semaphore(0)
        self._did = Semaphore(0)
        self._registry = registry_of(watch(store, self._around))
        self.start()

    def _around(self, method: str, key: str, call: Callable[[], Any]) -> Any:
        kind = {"reservations": "reservation", "blobs": "blob", "models": "version"}.get(
            key.partition("/")[0]
        )
        if f"{method} {kind}" not in self.STEPS:
            return call()
        self._may.acquire()
        result = call()
        self._did.release()
        return result

    def run(self) -> None:
        self._registry.commit("u1")

    def step(self) -> None:
        self._may.release()
        assert self._did.acquire(timeout=10)


def _matters(method: str, key: str) -> bool:
    """Tell whether what a collection sees here depends on where a publish is."""
    return method == "purge" or key.startswith((BLOBS, "reservations/", "models/"))


def test_collecting_is_safe_beside_a_publish_in_every_order_of_their_steps(
    watch: Any, registry_of: Any, checks: Any
) -> None:
    def prepare() -> MemoryStore:
        store = MemoryStore()
        _garbage(store, b"graph of u1")
        return store

    def run(order: tuple[int, ...]) -> tuple[MemoryStore, int]:
        """Collect; before its n-th call, let a publisher do as many steps as `order` has the number n."""
        store, at, due = prepare(), 0, list(order)
        publisher = Publisher(store, watch, registry_of)

        def take_turns(method: str, key: str, call: Callable[[], Any]) -> Any:
            nonlocal at
            while _matters(method, key) and due and due[0] <= at:
                publisher.step()
                due.pop(0)
            at += _matters(method, key)
            return call()

        collected = _collect(watch(store, take_turns), datetime.now(UTC) + timedelta(minutes=1))
        for _ in due:
            publisher.step()
        publisher.join()
        checks.invariants(store)
        return store, collected.blobs

    steps = len(Publisher.STEPS)
    removed = [run(order)[1] for order in combinations_with_replacement(range(10), steps)]

    assert set(removed) == {0, 1}
