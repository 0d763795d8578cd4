from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from math import sqrt
from random import Random
from threading import Event, Semaphore, Thread, current_thread, main_thread
from time import sleep
from typing import Any

import msgspec
import numpy as np
import pytest

from lampyris.domain.copies import Copy, arrays_of, decode_copy
from lampyris.domain.layout import SHADOW
from lampyris.domain.manifest import Alias, Route
from lampyris.domain.store import Store
from lampyris.errors import StoreUnavailable
from lampyris.registry.documents import read_alias
from lampyris.serving.infer import Prediction
from lampyris.serving.sessions import LoadTimes
from lampyris.serving.shadowing import _WAITING, Shadowing

NOW = datetime(2026, 1, 1, tzinfo=UTC)
INPUTS = {"features": np.arange(8, dtype=np.float32).reshape(1, 8)}
OUTPUTS = {"p": np.array([[0.5, 0.25, 0.25]], np.float32)}


class Bucket:
    """A store whose writes can be held up, or fail; it tells by which thread they came."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.open = Event()
        self.open.set()
        self.is_away = False
        self.ended = Semaphore(0)
        self.begun = Semaphore(0)
        self.writers: set[Thread] = set()

    def put(self, key: str, data: bytes) -> None:
        self.writers.add(current_thread())
        self.begun.release()
        try:
            assert self.open.wait(10)
            if self.is_away:
                raise StoreUnavailable(operation=f"put {key}", cause="told to")
            self._store.put(key, data)
        finally:
            self.ended.release()

    def wait(self, writes: int = 1) -> None:
        for _ in range(writes):
            assert self.ended.acquire(timeout=10)


@pytest.fixture
def bucket(store: Store) -> Iterator[Bucket]:
    bucket = Bucket(store)
    yield bucket
    bucket.open.set()


@pytest.fixture
def start(bucket: Any) -> Callable[..., Shadowing]:
    def start_shadowing(random: Callable[[], float] = lambda: 0.0, memory_mb: int = 512) -> Shadowing:
        return Shadowing(
            bucket,
            memory_mb=memory_mb,
            random=random,
            random_bytes=Random(0).randbytes,
            now=lambda: NOW,
        )

    return start_shadowing


@pytest.fixture
def alias(publish_linear: Any, store: Store) -> Alias:
    """An alias whose stable version is 1, and whose shadow is version 2."""
    first, second = publish_linear(seed=1), publish_linear(seed=2)
    found, _ = read_alias(store, "glow", "live")
    return msgspec.structs.replace(
        found,
        routes=(Route(weight=100, manifest=first),),
        shadow=Route(weight=100, manifest=second),
    )


def prediction(alias: Alias, outputs: Any = OUTPUTS) -> Prediction:
    return Prediction(
        manifest=alias.stable,
        outputs=outputs,
        load=LoadTimes(fetch_ms=0, session_ms=0, fetched_bytes=0),
        cold=False,
        started_s=0,
        run_ms=1.5,
    )


def copies(store: Store) -> list[Copy]:
    return [decode_copy(store.get(entry.key).data) for entry in store.list(SHADOW)]


def wait_until_written(shadowing: Shadowing) -> None:
    while shadowing._held:
        sleep(0.0001)


def test_a_copy_holds_what_was_asked_and_answered_and_by_whom(
    start: Any, alias: Alias, bucket: Bucket, store: Store
) -> None:
    start().offer(alias, INPUTS, prediction(alias))
    bucket.wait()

    (copy,) = copies(store)
    (entry,) = store.list(SHADOW)
    assert entry.key == f"shadow/glow/live/{alias.revision}/{copy.id}"
    assert (copy.model, copy.alias, copy.revision) == ("glow", "live", alias.revision)
    assert (copy.answered, copy.shadow, copy.at, copy.run_ms) == (1, 2, NOW, 1.5)
    np.testing.assert_array_equal(arrays_of(copy.inputs)["features"], INPUTS["features"])
    np.testing.assert_array_equal(arrays_of(copy.outputs)["p"], OUTPUTS["p"])


def test_copies_are_written_by_another_thread(start: Any, alias: Alias, bucket: Bucket) -> None:
    shadowing = start()
    for _ in range(3):
        shadowing.offer(alias, INPUTS, prediction(alias))
    bucket.wait(3)

    assert len(bucket.writers) == 1
    assert main_thread() not in bucket.writers
    assert all(writer.daemon for writer in bucket.writers)


def test_the_shadow_gets_its_share_as_exactly_as_chance_allows(alias: Alias, store: Store) -> None:
    share, count = 0.2, 2000
    assert alias.shadow is not None
    shadowed = msgspec.structs.replace(alias, shadow=Route(weight=20, manifest=alias.shadow.manifest))
    bucket = Bucket(store)
    shadowing = Shadowing(
        bucket,  # type: ignore[arg-type]  # puts are all that it does
        memory_mb=512,
        random=Random(0).random,
        random_bytes=Random(0).randbytes,
        now=lambda: NOW,
    )

    for _ in range(count):
        shadowing.offer(shadowed, INPUTS, prediction(alias))
        wait_until_written(shadowing)

    assert abs(len(copies(store)) - count * share) <= 6 * sqrt(count * share * (1 - share))
    assert shadowing.dropped == 0


def test_without_a_shadow_nothing_is_copied_and_no_thread_started(start: Any, alias: Alias) -> None:
    shadowing = start()

    shadowing.offer(msgspec.structs.replace(alias, shadow=None), INPUTS, prediction(alias))

    assert (shadowing._thread, shadowing.dropped) == (None, 0)


def test_a_shadow_that_answered_itself_is_not_asked_again(start: Any, alias: Alias) -> None:
    shadowing = start()
    itself = msgspec.structs.replace(alias, shadow=alias.routes[0])

    shadowing.offer(itself, INPUTS, prediction(alias))

    assert (shadowing._thread, shadowing.dropped) == (None, 0)


def test_a_store_that_blocks_for_ever_blocks_nobody_and_what_finds_no_place_is_counted(
    start: Any, alias: Alias, bucket: Bucket, store: Store
) -> None:
    bucket.open.clear()
    shadowing = start()

    for _ in range(_WAITING + 5):  # each returns although nothing is ever written
        shadowing.offer(alias, INPUTS, prediction(alias))
    assert bucket.begun.acquire(timeout=10)
    assert (shadowing.dropped, copies(store)) == (5, [])

    bucket.open.set()
    bucket.wait(_WAITING)
    assert len(copies(store)) == _WAITING


def test_a_store_that_fails_costs_the_copy_alone(
    start: Any, alias: Alias, bucket: Bucket, store: Store
) -> None:
    bucket.is_away = True
    shadowing = start()
    for _ in range(_WAITING):
        shadowing.offer(alias, INPUTS, prediction(alias))
    bucket.wait(_WAITING)
    bucket.is_away = False

    wait_until_written(shadowing)
    shadowing.offer(alias, INPUTS, prediction(alias))
    bucket.wait()

    assert (shadowing.dropped, len(copies(store))) == (_WAITING, 1)


def test_copies_never_hold_more_than_their_share_of_memory(start: Any, alias: Alias, bucket: Bucket) -> None:
    shadowing = start(memory_mb=256)  # 8 MB of it
    megabytes = {"features": np.zeros((3 * 2**18, 1), np.float32)}
    bucket.open.clear()

    for _ in range(4):
        shadowing.offer(alias, megabytes, prediction(alias))

    assert shadowing.dropped == 2
    bucket.open.set()
    bucket.wait(2)


def test_one_copy_too_large_is_dropped(start: Any, alias: Alias) -> None:
    shadowing = start(memory_mb=256)

    shadowing.offer(alias, {"words": np.full(40_000, "w", object)}, prediction(alias))

    assert (shadowing.dropped, shadowing._held, shadowing._held_bytes) == (1, 0, 0)


def test_nothing_that_goes_wrong_reaches_the_answer(alias: Alias, bucket: Any) -> None:
    def fail() -> float:
        raise MemoryError

    shadowing = Shadowing(
        bucket, memory_mb=512, random=fail, random_bytes=Random(0).randbytes, now=lambda: NOW
    )

    shadowing.offer(alias, INPUTS, prediction(alias))

    assert shadowing.dropped == 1


def test_what_was_written_holds_no_memory(start: Any, alias: Alias, bucket: Bucket) -> None:
    shadowing = start()
    for _ in range(3):
        shadowing.offer(alias, INPUTS, prediction(alias))
    bucket.wait(3)

    wait_until_written(shadowing)

    assert shadowing._held_bytes == 0
    assert not shadowing._waiting
