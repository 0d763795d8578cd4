"""What holds in every adapter when several write at once."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from threading import Barrier
from typing import TypeVar

import pytest

from lampyris.domain.store import Store
from lampyris.errors import ObjectChanged, ObjectExists

R = TypeVar("R")


def at_once(threads: int, work: Callable[[int], R]) -> list[R]:
    """Run `work` in as many threads, which begin together."""
    barrier = Barrier(threads)

    def run(number: int) -> R:
        barrier.wait()
        return work(number)

    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(run, range(threads)))


def test_of_racing_creates_exactly_one_wins(store: Store) -> None:
    def create(number: int) -> bool:
        try:
            store.create("m/key", str(number).encode())
        except ObjectExists:
            return False
        return True

    won = at_once(8, create)

    assert sorted(won) == [False] * 7 + [True]
    assert store.get("m/key").data == str(won.index(True)).encode()


def test_of_racing_replaces_none_is_lost(store: Store) -> None:
    store.put("m/count", b"0")

    def add(number: int) -> None:
        added = 0
        while added < 5:
            found = store.get("m/count")
            with suppress(ObjectChanged):
                store.replace("m/count", str(int(found.data) + 1).encode(), found.etag)
                added += 1

    at_once(6, add)

    assert store.get("m/count").data == b"30"


def test_folders_that_come_and_go_disturb_no_writer(store: Store) -> None:
    def come_and_go(number: int) -> None:
        for turn in range(6):
            key = f"m/a/b/{number}/{turn}"
            store.create(key, b"x")
            assert store.get(key).data == b"x"
            store.delete(key)

    at_once(6, come_and_go)

    assert list(store.list("m/")) == []


def test_reader_sees_one_whole_writing(store: Store) -> None:
    size_bytes = 300_000
    written = [bytes([65 + number]) * size_bytes for number in range(3)]
    store.put("m/key", written[0])

    def write_or_read(number: int) -> set[bytes]:
        seen = set[bytes]()
        for _ in range(6):
            if number < 3:
                store.put("m/key", written[number])
            else:
                seen.add(store.get("m/key").data)
        return seen

    seen = set[bytes]().union(*at_once(6, write_or_read))

    assert seen <= set(written)


def test_a_change_beside_a_purge_is_kept(store: Store, kind: str) -> None:
    if kind == "rough":
        pytest.skip("such a bucket has one name for all writings of a key")
    for number in range(8):
        store.put(f"m/{number}", b"old")
    doomed = list(store.generations("m/"))

    def change_or_purge(number: int) -> None:
        if number == 0:
            store.purge(doomed)
        else:
            store.put(f"m/{number}", b"new")

    at_once(8, change_or_purge)

    assert [entry.key for entry in store.list("m/")] == [f"m/{number}" for number in range(1, 8)]
    assert {store.get(f"m/{number}").data for number in range(1, 8)} == {b"new"}
