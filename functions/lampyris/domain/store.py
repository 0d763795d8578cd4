"""What Lampyris needs of a bucket: whole objects, ranges, conditional writes, and addresses to hand out."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Literal, Protocol

import msgspec

if TYPE_CHECKING:  # pathlib is 7 ms of a cold start, before the download begins
    from pathlib import Path


class Stored(msgspec.Struct, frozen=True, kw_only=True):
    """An object as it was read; its `etag` is another after every change."""

    data: bytes
    etag: str


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """An object as it stands, without its data."""

    key: str
    size_bytes: int
    modified_at: datetime
    etag: str


class Generation(msgspec.Struct, frozen=True, kw_only=True):
    """One writing of an object: where a bucket keeps what was overwritten or deleted, a key has several.

    `id` tells it from every other writing of the same key. A mark of deletion is one as well, of no bytes.
    """

    key: str
    id: str
    size_bytes: int
    modified_at: datetime
    is_latest: bool


class Store(Protocol):
    """A bucket. Keys are paths of 1,024 bytes at most; others raise InvalidName, from every method.

    Every method may raise StoreUnavailable: then the call has taken effect, or has not, or still may. What is
    read is always one writing, whole.
    """

    def get(self, key: str) -> Stored:
        """Read a whole object. Raises: ObjectNotFound."""
        ...

    def get_if_changed(self, key: str, etag: str) -> Stored | None:
        """Read an object unless it still has `etag`. Raises: ObjectNotFound."""
        ...

    def get_range(self, key: str, start: int, length: int, etag: str | None = None) -> memoryview:
        """Read `length` bytes, at least one, from offset `start`, or as many as there are.

        Raises: ObjectNotFound; ObjectChanged if `etag` is given and is no longer the object's.
        """
        ...

    def head(self, key: str) -> Entry:
        """Look at an object without reading it. Raises: ObjectNotFound."""
        ...

    def size_bytes(self, key: str) -> int:
        """Return an object's size without reading it. Raises: ObjectNotFound."""
        ...

    def put(self, key: str, data: "bytes | Path", headers: Mapping[str, str] | None = None) -> None:
        """Write an object, whatever stood there; a large file goes in parts, and is never held whole.

        `headers` are those that come with the object over HTTP: content-type, content-encoding.
        """
        ...

    def create(self, key: str, data: bytes, headers: Mapping[str, str] | None = None) -> None:
        """Write an object where none stands, with headers as `put` has them.

        Raises: ObjectExists, also while somebody is writing there (and then nothing may stand there yet), and
        also if it is this very writing that stands there, where its first answer was lost and it was sent
        again. So read what stands there before you believe it is another's.
        """
        ...

    def replace(self, key: str, data: bytes, etag: str) -> None:
        """Write an object over the one that has `etag`.

        Raises: ObjectChanged, also if nothing stands there any more, while somebody is writing there, and if
        it is this very writing that changed it (see `create`).
        """
        ...

    def list(self, prefix: str, after: str = "") -> Iterator[Entry]:
        """Yield every object whose key starts with `prefix` and comes after `after`, in key order.

        `prefix` ends with a slash. The whole is never held: who stops early has read one page.
        """
        ...

    def list_folders(self, prefix: str) -> Sequence[str]:
        """Name what stands one level below `prefix` and has something below itself, in order.

        A bucket that keeps versions may go on naming what had something: moto's does.
        """
        ...

    def delete(self, key: str) -> None:
        """Delete an object; nothing happens if there is none. A bucket that keeps versions keeps this one."""
        ...

    def generations(self, prefix: str) -> Iterator[Generation]:
        """Yield every writing that is kept of every object whose key starts with `prefix`.

        They come in key order, the newest of each key first, and may be purged while they come.
        """
        ...

    def purge(self, generations: Iterable[Generation]) -> None:
        """Remove exactly these writings, beyond recovery; one that was made since then stays.

        Where the latest goes, the one before stands again. (A bucket without versions cannot tell writings
        apart: there, whatever stands at the key goes.)
        """
        ...

    def presign(self, method: Literal["GET", "PUT"], key: str, expires_s: int) -> str:
        """Return a URL by which whoever has it may read or write one object, for a while.

        It acts with the rights of the credentials that signed it, and ends with them if they end before.
        """
        ...
