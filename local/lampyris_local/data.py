"""Files on their way to a job: named by what they hold, so that the same are sent once."""

import hashlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from lampyris.domain.store import Store
from lampyris.errors import LampyrisError
from lampyris.jobs.specs import DATA

_AT_ONCE = 8
_ID_DIGITS = 32


@dataclass(eq=False, kw_only=True)
class NoData(LampyrisError):
    code = "no-data"
    path: Path
    reason: str

    def __str__(self) -> str:
        return f"{self.path} cannot be sent: {self.reason}."


@dataclass(frozen=True, kw_only=True)
class Packed:
    """Files and their keys; `key` is what a job calls the whole: a file's key, or a folder's prefix."""

    key: str
    files: tuple[tuple[str, Path], ...]

    @property
    def size_bytes(self) -> int:
        return sum(path.stat().st_size for _, path in self.files)


def pack(path: Path) -> Packed:
    """Name a file, or every file of a folder but hidden ones, after what is in them.

    Raises: NoData.
    """
    try:
        if not path.is_dir():
            key = f"{DATA}{_digest(path)}/{path.name}"
            return Packed(key=key, files=((key, path),))
        found = sorted(one for one in path.rglob("*") if one.is_file() and not _is_hidden(one, path))
        names = [one.relative_to(path).as_posix() for one in found]
        whole = hashlib.sha256()
        for name, one in zip(names, found, strict=True):
            whole.update(f"{name}\0{_digest(one)}\n".encode())
    except OSError as error:
        raise NoData(path=path, reason=(error.strerror or str(error)).lower()) from None
    except UnicodeEncodeError:
        raise NoData(path=path, reason="the name of a file is not Unicode text") from None
    if not found:
        raise NoData(path=path, reason="there are no files in it")
    prefix = f"{DATA}{whole.hexdigest()[:_ID_DIGITS]}/{path.resolve().name}/"
    return Packed(
        key=prefix, files=tuple((prefix + name, one) for name, one in zip(names, found, strict=True))
    )


def send(store: Store, packed: Packed, *, on_sent: Callable[[int], None]) -> int:
    """Put what is not there yet into the bucket, telling the size of each file; return how many were sent.

    Raises: StoreUnavailable; InvalidName if a file's name cannot stand in a bucket.
    """
    folder = packed.key.rpartition("/")[0] + "/"
    there = {entry.key: entry.size_bytes for entry in store.list(folder)}

    def put(one: tuple[str, Path]) -> int:
        key, path = one
        size_bytes = path.stat().st_size
        is_there = there.get(key) == size_bytes
        if not is_there:
            store.put(key, path)
        on_sent(size_bytes)
        return 0 if is_there else 1

    with ThreadPoolExecutor(_AT_ONCE) as senders:
        return sum(senders.map(put, packed.files))


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:_ID_DIGITS]


def _is_hidden(path: Path, folder: Path) -> bool:
    return any(part.startswith(".") for part in path.relative_to(folder).parts)
