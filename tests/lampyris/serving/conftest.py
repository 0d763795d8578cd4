"""A store that tells what was read, and fails when it is told to; a clock that moves when it is told to."""

from dataclasses import dataclass, field

import pytest

from lampyris.adapters.object_store import ObjectStore
from lampyris.domain.store import Store, Stored
from lampyris.errors import StoreUnavailable


@dataclass
class WatchedStore:
    """Reads go through to `inner`; `damage` maps a key to the byte that arrives flipped."""

    inner: ObjectStore
    reads: list[str] = field(default_factory=list)
    damage: dict[str, int] = field(default_factory=dict)
    away: bool = False

    def _read(self, key: str) -> None:
        self.reads.append(key)
        if self.away:
            raise StoreUnavailable(operation=f"get {key}", cause="told to")

    def get(self, key: str) -> Stored:
        self._read(key)
        return self.inner.get(key)

    def get_if_changed(self, key: str, etag: str) -> Stored | None:
        self._read(key)
        return self.inner.get_if_changed(key, etag)

    def get_range(self, key: str, start: int, length: int) -> memoryview:
        self._read(key)
        data = bytearray(self.inner.get_range(key, start, length))
        if key in self.damage and start <= self.damage[key] < start + length:
            data[self.damage[key] - start] ^= 1
        return memoryview(bytes(data))

    def __getattr__(self, name: str) -> object:
        return getattr(self.inner, name)


@dataclass
class Clock:
    now_s: float = 0.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def watched(store: Store) -> WatchedStore:
    assert isinstance(store, ObjectStore)
    return WatchedStore(store)


@pytest.fixture
def clock() -> Clock:
    return Clock()
