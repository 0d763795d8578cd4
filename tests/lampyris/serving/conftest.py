"""A store that tells what was read, and fails or hangs when told to; a clock that moves when told to."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from threading import Event, Lock

import pytest

from lampyris.domain.store import Store, Stored
from lampyris.errors import StoreUnavailable


@dataclass
class WatchedStore:
    """Reads go through to `inner`.

    `damage` maps a key to the bit that arrives flipped, as often as `damages` says; `cut` maps a key to how
    many bytes are missing at its end; while `open` is not set, ranges and changed aliases hang.
    """

    inner: Store
    reads: list[str] = field(default_factory=list)
    damage: dict[str, int] = field(default_factory=dict)
    damages: float = float("inf")
    cut: dict[str, int] = field(default_factory=dict)
    away: bool = False
    failures: list[BaseException] = field(default_factory=list)
    open: Event = field(default_factory=Event)
    lock: Lock = field(default_factory=Lock)

    def _read(self, key: str) -> None:
        self.reads.append(key)
        if self.away:
            raise StoreUnavailable(operation=f"get {key}", cause="told to")
        if self.failures:
            raise self.failures.pop()

    def get(self, key: str) -> Stored:
        self._read(key)
        return self.inner.get(key)

    def get_if_changed(self, key: str, etag: str) -> Stored | None:
        self._read(key)
        assert self.open.wait(10)
        return self.inner.get_if_changed(key, etag)

    def get_range(self, key: str, start: int, length: int) -> memoryview:
        self._read(key)
        assert self.open.wait(10)
        data = bytearray(self.inner.get_range(key, start, length))
        byte, bit = divmod(self.damage.get(key, -1), 8)
        if start <= byte < start + length:
            with self.lock:
                is_damaged, self.damages = self.damages > 0, self.damages - 1
            if is_damaged:
                data[byte - start] ^= 1 << bit
        return memoryview(bytes(data[: len(data) - self.cut.get(key, 0)]))

    def __getattr__(self, name: str) -> object:
        return getattr(self.inner, name)


@dataclass
class Clock:
    now_s: float = 0.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def watched(store: Store) -> Iterator[WatchedStore]:
    watched = WatchedStore(store)
    watched.open.set()
    yield watched
    watched.open.set()  # whoever still hangs there may end


@pytest.fixture
def clock() -> Clock:
    return Clock()
