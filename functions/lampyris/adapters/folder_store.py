"""A plain folder as a bucket: an object's key is its path below the root, and a file holds the object alone.

So the folder can be copied to a bucket as it is (`aws s3 sync folder s3://bucket`). What the store needs for
itself is in `.lampyris/`, which no key names and no listing shows: a lock that every process takes while it
changes what stands at a key, and files on their way, which get their names when they are whole. A process that
is killed leaves at most such a file behind; a later one removes it.

Links below the root are not followed, wherever they lead.
"""

import errno
import fcntl
import os
import shutil
import stat
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from secrets import token_hex
from typing import BinaryIO, Literal

from lampyris.adapters.object_keys import check_key, check_prefix, is_key
from lampyris.domain.store import Entry, Generation, Stored
from lampyris.errors import InvalidName, ObjectChanged, ObjectExists, ObjectNotFound, StoreUnavailable

_OWN = ".lampyris"
_ABANDONED_AFTER_S = 24 * 3600.0
_LONGEST_NAME_BYTES = 255
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK  # the last for a pipe, which would wait for a writer


class FolderStore:
    """A Store on a folder, which the first write makes; several processes may use it at once."""

    def __init__(self, root: Path) -> None:
        self._root = Path(os.path.realpath(root))
        self._is_swept = False

    def get(self, key: str) -> Stored:
        with self._reading(key) as file:
            return Stored(data=file.read(), etag=_etag(os.fstat(file.fileno())))

    def get_if_changed(self, key: str, etag: str) -> Stored | None:
        with self._reading(key) as file:
            now = _etag(os.fstat(file.fileno()))
            return None if now == etag else Stored(data=file.read(), etag=now)

    def get_range(self, key: str, start: int, length: int) -> memoryview:
        with self._reading(key) as file:
            file.seek(start)
            return memoryview(file.read(length))

    def size_bytes(self, key: str) -> int:
        with self._reading(key) as file:
            return os.fstat(file.fileno()).st_size

    def put(self, key: str, data: bytes | Path, headers: Mapping[str, str] | None = None) -> None:  # noqa: ARG002 - no HTTP leads here
        with self._writing(key, data):
            pass  # whatever stands there

    def create(self, key: str, data: bytes) -> None:
        with self._writing(key, data) as standing:
            if standing is not None:
                raise ObjectExists(key=key)

    def replace(self, key: str, data: bytes, etag: str) -> None:
        with self._writing(key, data) as standing:
            if standing != etag:
                raise ObjectChanged(key=key)

    def list(self, prefix: str, after: str = "") -> Iterator[Entry]:
        for key, found in self._walk(prefix, after):
            yield Entry(key=key, size_bytes=found.st_size, modified_at=_modified_at(found))

    def list_folders(self, prefix: str) -> Sequence[str]:
        names = [name for name, is_folder in self._names(prefix) if is_folder]
        return sorted(name for name in names if any(self._walk(f"{prefix}{name}/")))

    def delete(self, key: str) -> None:
        self._remove(key, lambda _: True)

    def generations(self, prefix: str) -> Iterator[Generation]:
        for key, found in self._walk(prefix):
            yield Generation(
                key=key,
                id=_etag(found),
                size_bytes=found.st_size,
                modified_at=_modified_at(found),
                is_latest=True,
            )

    def purge(self, generations: Iterable[Generation]) -> None:
        for doomed in generations:
            self._remove(doomed.key, doomed.id)

    def presign(self, method: Literal["GET", "PUT"], key: str, expires_s: int) -> str:  # noqa: ARG002 - who may use the folder may use its files
        return self._path(key).as_uri()

    def _path(self, key: str) -> Path:
        """Return where a key's file is. Raises: InvalidName."""
        check_key(key)
        path = self._root / key
        if path.relative_to(self._root).parts[0] == _OWN:
            raise InvalidName(kind="an object", name=key, rule=f"{_OWN} is the folder's own")
        if any(len(part.encode()) > _LONGEST_NAME_BYTES for part in key.split("/")):
            rule = f"in a folder, each part of a key has at most {_LONGEST_NAME_BYTES} bytes"
            raise InvalidName(kind="an object", name=key, rule=rule)
        if os.path.realpath(path.parent) != str(path.parent):
            raise InvalidName(kind="an object", name=key, rule="its path leads through a link")
        return path

    @contextmanager
    def _reading(self, key: str) -> Iterator[BinaryIO]:
        """Open an object's file. Raises: ObjectNotFound, StoreUnavailable."""
        path = self._path(key)
        with _errors("get", key):
            try:
                file = os.open(path, _READ)
            except OSError as error:
                if error.errno in _NO_OBJECT:
                    raise ObjectNotFound(key=key) from None
                raise
            with os.fdopen(file, "rb") as opened:
                yield opened
