"""A plain folder as a bucket: an object's key is its path below the root, and a file holds the object alone.

So the folder can be copied to a bucket as it is (`aws s3 sync folder s3://bucket`). What the store needs for
itself is in `.lampyris/`, which no key names and no listing shows: a lock that every process takes while it
changes what stands at a key, and files on their way, which get their names when they are whole. A process
that is killed leaves at most such a file behind; a later one removes it.

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

from lampyris.adapters.object_keys import OWN, check_key, check_prefix, is_key
from lampyris.domain.store import Entry, Generation, Stored
from lampyris.errors import InvalidName, ObjectChanged, ObjectExists, ObjectNotFound, StoreUnavailable

_ABANDONED_AFTER_S = 24 * 3600.0
_COPIED_AT_ONCE_BYTES = 1 << 20
_LONGEST_NAME_BYTES = 255
# What stands in the way is a folder, or a file, or a link.
_NO_OBJECT = (errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.ELOOP)
_IN_THE_WAY = (errno.EEXIST, errno.ENOTDIR, errno.EISDIR)


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

    def get_range(self, key: str, start: int, length: int, etag: str | None = None) -> memoryview:
        with self._reading(key) as file:
            if etag not in {None, _etag(os.fstat(file.fileno()))}:
                raise ObjectChanged(key=key)
            file.seek(start)
            return memoryview(file.read(length))

    def head(self, key: str) -> Entry:
        with self._reading(key) as file:
            return _entry(key, os.fstat(file.fileno()))

    def size_bytes(self, key: str) -> int:
        return self.head(key).size_bytes

    def put(self, key: str, data: bytes | Path, headers: Mapping[str, str] | None = None) -> None:  # noqa: ARG002 - no HTTP leads here
        with self._writing(key, data):
            pass  # whatever stands there

    def create(self, key: str, data: bytes, headers: Mapping[str, str] | None = None) -> None:  # noqa: ARG002 - as above
        with self._writing(key, data) as standing:
            if standing is not None:
                raise ObjectExists(key=key)

    def replace(self, key: str, data: bytes, etag: str) -> None:
        with self._writing(key, data) as standing:
            if standing != etag:
                raise ObjectChanged(key=key)

    def list(self, prefix: str, after: str = "") -> Iterator[Entry]:
        for key, found in self._walk(prefix, after):
            yield _entry(key, found)

    def list_folders(self, prefix: str) -> Sequence[str]:
        names = [name for name, is_folder in self._names(prefix) if is_folder]
        return sorted(name for name in names if any(self._walk(f"{prefix}{name}/")))

    def delete(self, key: str) -> None:
        self._remove(key)

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
                with open(path, "rb", opener=_open_no_link) as file:
                    yield file
            except OSError as error:
                if error.errno not in _NO_OBJECT:
                    raise
                raise ObjectNotFound(key=key) from None

    @contextmanager
    def _writing(self, key: str, data: bytes | Path) -> Iterator[str | None]:
        """Tell the etag of what stands at a key, and write over it unless the caller raises.

        Nothing is written at the key by anyone else meanwhile. Raises: InvalidName, StoreUnavailable.
        """
        path = self._path(key)
        with _errors("put", key):
            waiting = self._own_folder() / "waiting" / token_hex(16)
            try:
                _write_whole(waiting, data)
                with self._locked():
                    yield _standing(path)
                    try:
                        _make_folder(path.parent)
                        waiting.replace(path)
                    except OSError as error:
                        if error.errno not in _IN_THE_WAY:
                            raise
                        rule = "in a folder, nothing can stand both at a key and below it"
                        raise InvalidName(kind="an object", name=key, rule=rule) from None
                    _sync(path.parent)
            finally:
                waiting.unlink(missing_ok=True)

    def _remove(self, key: str, etag: str | None = None) -> None:
        """Remove an object, or only as it was when it had `etag`; and the folders that this leaves empty."""
        path = self._path(key)
        with _errors("delete", key):
            if _standing(path) is None:
                return
            with self._locked():
                standing = _standing(path)
                if standing is None or etag not in {None, standing}:
                    return
                path.unlink()
                _sync(path.parent)
                for folder in path.parents:
                    if folder == self._root or next(folder.iterdir(), None) is not None:
                        return
                    folder.rmdir()

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Keep every other process and thread from changing what stands at any key; they may read."""
        with (self._own_folder() / "lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # given back when the file is closed, or its process is gone
            yield

    def _own_folder(self) -> Path:
        """Return the store's own folder; the first time, without what others left behind there."""
        if not self._root.is_dir():
            self._root.mkdir(exist_ok=True)  # its parent must be there: else the path is a mistake
            _sync(self._root.parent)
        own = self._root / OWN
        (own / "waiting").mkdir(parents=True, exist_ok=True)
        if not self._is_swept:
            self._is_swept = True
            _sweep(own / "waiting")
        return own

    def _walk(self, prefix: str, after: str = "") -> Iterator[tuple[str, os.stat_result]]:
        """Yield every object below `prefix` that comes after `after`, in key order, and what its file is."""
        with _errors("list", prefix):
            for name, is_folder in self._names(prefix):
                key, below = prefix + name, f"{prefix}{name}/"
                if is_folder and (below > after or after.startswith(below)):
                    yield from self._walk(below, after)
                elif not is_folder and key > after and (found := _stat(self._root / key)) is not None:
                    yield key, found

    def _names(self, prefix: str) -> Sequence[tuple[str, bool]]:
        """Name what is directly below `prefix`, in the order of keys, and say whether it is a folder."""
        check_prefix(prefix)
        folder = self._root / prefix
        if os.path.realpath(folder) != str(folder):
            return ()  # it is reached through a link
        with _errors("list", prefix):
            try:
                with os.scandir(folder) as found:
                    names = [
                        (one.name, one.is_dir(follow_symlinks=False))
                        for one in found
                        if is_key(prefix + one.name) and not one.is_symlink()
                    ]
            except (FileNotFoundError, NotADirectoryError):
                return ()
        return sorted(names, key=lambda name: name[0] + "/" * name[1])


def _etag(found: os.stat_result) -> str:
    """Tell a writing from every other: a file is written once, and its inode is another's only later."""
    return f'"{found.st_mtime_ns:x}-{found.st_ino:x}-{found.st_size:x}"'


def _entry(key: str, found: os.stat_result) -> Entry:
    return Entry(key=key, size_bytes=found.st_size, modified_at=_modified_at(found), etag=_etag(found))


def _modified_at(found: os.stat_result) -> datetime:
    return datetime.fromtimestamp(found.st_mtime, UTC)


def _stat(path: Path) -> os.stat_result | None:
    """Look at an object's file; None if it is gone, or no plain file."""
    try:
        found = path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    return found if stat.S_ISREG(found.st_mode) else None


def _standing(path: Path) -> str | None:
    found = _stat(path)
    return None if found is None else _etag(found)


def _open_no_link(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK)  # a pipe would wait for who writes into it


def _write_whole(path: Path, data: bytes | Path) -> None:
    """Write a new file, and return when it is on the disk; its time is when it was whole."""
    with path.open("xb") as file:
        if isinstance(data, bytes):
            file.write(data)
        else:
            with data.open("rb") as source:
                shutil.copyfileobj(source, file, _COPIED_AT_ONCE_BYTES)
        file.flush()
        now_ns = time.time_ns()  # finer than what the system would note, so that each writing has its own
        os.utime(file.fileno(), ns=(now_ns, now_ns))
        os.fsync(file.fileno())


def _make_folder(folder: Path) -> None:
    """Make a folder and those above it, on the disk as well."""
    if not folder.is_dir():
        _make_folder(folder.parent)
        folder.mkdir()
        _sync(folder.parent)


def _sync(folder: Path) -> None:
    """Return when a folder's names are on the disk."""
    opened = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


def _sweep(folder: Path) -> None:
    """Remove files that a process left behind: nobody takes a day to write one."""
    for left in folder.glob("*"):
        found = _stat(left)
        if found is not None and found.st_mtime < time.time() - _ABANDONED_AFTER_S:
            left.unlink(missing_ok=True)


@contextmanager
def _errors(operation: str, key: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StoreUnavailable(operation=f"{operation} {key}", cause=str(error)) from error
