"""A bucket in this process's memory that keeps versions, as a bucket on S3 does."""

from bisect import bisect_left, bisect_right, insort
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from threading import Lock
from typing import TYPE_CHECKING, Literal

import msgspec

from lampyris.adapters.object_keys import check_key, check_prefix
from lampyris.domain.store import Entry, Generation, Stored
from lampyris.errors import ObjectChanged, ObjectExists, ObjectNotFound

if TYPE_CHECKING:
    from pathlib import Path


_now = partial(datetime.now, UTC)


class _Writing(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One writing of an object, or its deletion: then there are no data."""

    number: int
    data: bytes | None
    modified_at: datetime

    @property
    def etag(self) -> str:
        return f'"{self.number}"'


class MemoryStore:
    """A Store without anything behind it; `now` tells the time that writings are listed with."""

    def __init__(self, now: Callable[[], datetime] = _now) -> None:
        self._now = now
        self._lock = Lock()
        self._writings: dict[str, list[_Writing]] = {}  # oldest first
        self._standing: dict[str, _Writing] = {}
        self._keys: list[str] = []  # of what stands, in order
        self._count = 0

    def get(self, key: str) -> Stored:
        found = self._find(key)
        return Stored(data=found.data or b"", etag=found.etag)

    def get_if_changed(self, key: str, etag: str) -> Stored | None:
        found = self.get(key)
        return None if found.etag == etag else found

    def get_range(self, key: str, start: int, length: int, etag: str | None = None) -> memoryview:
        found = self._find(key)
        if etag not in {None, found.etag}:
            raise ObjectChanged(key=key)
        return memoryview(found.data or b"")[start : start + length]

    def head(self, key: str) -> Entry:
        return _entry(key, self._find(key))

    def size_bytes(self, key: str) -> int:
        return self.head(key).size_bytes

    def put(self, key: str, data: "bytes | Path", headers: Mapping[str, str] | None = None) -> None:  # noqa: ARG002 - no HTTP leads here
        content = data if isinstance(data, bytes) else data.read_bytes()
        with self._lock:
            self._write(key, content)

    def create(self, key: str, data: bytes, headers: Mapping[str, str] | None = None) -> None:  # noqa: ARG002 - as above
        with self._lock:
            if key in self._standing:
                raise ObjectExists(key=key)
            self._write(key, data)

    def replace(self, key: str, data: bytes, etag: str) -> None:
        with self._lock:
            check_key(key)
            standing = self._standing.get(key)
            if standing is None or standing.etag != etag:
                raise ObjectChanged(key=key)
            self._write(key, data)

    def list(self, prefix: str, after: str = "") -> Iterator[Entry]:
        check_prefix(prefix)
        while (found := self._next(prefix, after)) is not None:
            after, writing = found
            yield _entry(after, writing)

    def list_folders(self, prefix: str) -> Sequence[str]:
        check_prefix(prefix)
        folders = []
        with self._lock:
            at = bisect_left(self._keys, prefix)
            while at < len(self._keys) and self._keys[at].startswith(prefix):
                name, slash, _ = self._keys[at].removeprefix(prefix).partition("/")
                if slash:
                    folders.append(name)
                    at = bisect_left(self._keys, f"{prefix}{name}0", at)  # 0 comes after the slash
                else:
                    at += 1
        return sorted(folders)

    def delete(self, key: str) -> None:
        check_key(key)
        with self._lock:
            if key in self._standing:
                self._write(key, None)

    def generations(self, prefix: str) -> Iterator[Generation]:
        check_prefix(prefix)
        with self._lock:
            kept = {key: tuple(self._writings[key]) for key in self._writings if key.startswith(prefix)}
        for key in sorted(kept):
            for writing in reversed(kept[key]):
                yield Generation(
                    key=key,
                    id=str(writing.number),
                    size_bytes=len(writing.data or b""),
                    modified_at=writing.modified_at,
                    is_latest=writing is kept[key][-1],
                )

    def purge(self, generations: Iterable[Generation]) -> None:
        for generation in generations:
            with self._lock:
                kept = self._writings.pop(generation.key, [])
                kept = [writing for writing in kept if str(writing.number) != generation.id]
                if kept:
                    self._writings[generation.key] = kept
                self._stand(generation.key, kept[-1] if kept else None)

    def presign(self, method: Literal["GET", "PUT"], key: str, expires_s: int) -> str:  # noqa: ARG002 - no HTTP leads there
        check_key(key)
        return f"memory:///{key}"

    def _find(self, key: str) -> _Writing:
        found = self._standing.get(key)
        if found is None:
            check_key(key)
            raise ObjectNotFound(key=key)
        return found

    def _next(self, prefix: str, after: str) -> tuple[str, _Writing] | None:
        """Return the first object under `prefix` that comes after `after`."""
        with self._lock:
            at = bisect_left(self._keys, prefix) if after < prefix else bisect_right(self._keys, after)
            if at == len(self._keys) or not self._keys[at].startswith(prefix):
                return None
            return self._keys[at], self._standing[self._keys[at]]

    def _write(self, key: str, data: bytes | None) -> None:
        check_key(key)
        self._count += 1
        writing = _Writing(number=self._count, data=data, modified_at=self._now())
        self._writings.setdefault(key, []).append(writing)
        self._stand(key, writing)

    def _stand(self, key: str, writing: _Writing | None) -> None:
        """Let a writing be what stands at a key; nothing does after a deletion."""
        if writing is not None and writing.data is not None:
            if key not in self._standing:
                insort(self._keys, key)
            self._standing[key] = writing
        elif self._standing.pop(key, None) is not None:
            del self._keys[bisect_left(self._keys, key)]


def _entry(key: str, writing: _Writing) -> Entry:
    size_bytes = len(writing.data or b"")
    return Entry(key=key, size_bytes=size_bytes, modified_at=writing.modified_at, etag=writing.etag)
