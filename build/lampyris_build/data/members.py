"""A few files by their names, from a folder, a zip or a tar, which are read where they stand."""

import tarfile
import zipfile
import zlib
from collections.abc import Callable, Collection, Iterator
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Final

from lampyris_build.errors import DatasetBroken, DatasetMissing

# What archives end with that are damaged, encrypted, or none at all.
BROKEN: Final = (tarfile.TarError, zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError)

_Member = tuple[str, int, Callable[[], bytes]]


def read_members(path: Path, wanted: Collection[str], *, max_bytes: int, layout: str) -> dict[str, bytes]:
    """Return the wanted files by their names, whatever folder they are in; of others, the names alone.

    Raises: DatasetMissing saying the `layout`, DatasetBroken.
    """
    if not path.exists():
        raise DatasetMissing(path=path, wanted=layout)
    files = {}
    try:
        for name, size_bytes, read in _members(path):
            if name in wanted and size_bytes > max_bytes:
                raise DatasetBroken(
                    path=path, reason=f"{name} has {size_bytes:,} bytes; at most {max_bytes:,} are read."
                )
            files[name] = read() if name in wanted else b""
    except BROKEN as error:
        raise DatasetBroken(path=path, reason=f"it cannot be read: {error}.") from None
    return files


def _members(path: Path) -> Iterator[_Member]:
    if path.is_dir():
        for file in path.rglob("*"):
            if file.is_file():
                yield file.name, file.stat().st_size, file.read_bytes
    elif zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            for info in archive.infolist():
                yield PurePosixPath(info.filename).name, info.file_size, partial(archive.read, info)
    else:
        with tarfile.open(path) as tar:
            for member in tar:
                if member.isfile():
                    yield PurePosixPath(member.name).name, member.size, partial(_from_tar, tar, member)


def _from_tar(archive: tarfile.TarFile, info: tarfile.TarInfo) -> bytes:
    file = archive.extractfile(info)
    assert file is not None  # it is a file, as was asked before
    with file:
        return file.read()
