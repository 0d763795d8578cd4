"""Arrays that may be larger than memory: they grow batch by batch, and beyond some size live in a file."""

import errno
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from math import prod
from pathlib import Path
from tempfile import TemporaryFile, gettempdir
from typing import IO, Any, Final

import numpy as np
from numpy.typing import DTypeLike, NDArray

from lampyris_build.errors import WriteFailed

# Two such arrays, and what training needs beside them, fit into the memory of a small machine.
LIMIT_BYTES: Final = 256 * 1024**2
_CHUNK_BYTES: Final = 16 * 1024**2
_ALIGNMENT: Final = 64  # bytes: any number stands where the processor wants it


class Spool:
    """An array of unknown length, row by row; beyond `limit_bytes` it goes on in a temporary file.

    The file has no name: its room is free again as soon as the array is forgotten, or the process ends.
    """

    def __init__(self, dtype: DTypeLike, shape: tuple[int, ...], *, limit_bytes: int = LIMIT_BYTES) -> None:
        self._dtype: np.dtype[Any] = np.dtype(dtype)
        self._shape = shape
        self._limit_bytes = limit_bytes
        self._rows = 0
        self._parts: list[NDArray[Any]] = []
        self._file: IO[bytes] | None = None

    def append(self, rows: NDArray[Any]) -> None:
        """Add rows (n, *shape), converted to the spool's dtype. Raises: WriteFailed."""
        part = np.ascontiguousarray(rows, self._dtype)
        self._rows += len(part)
        if self._file is None:
            self._parts.append(part)
            if self._rows * prod(self._shape) * self._dtype.itemsize <= self._limit_bytes:
                return
            self._file = TemporaryFile()  # noqa: SIM115 - closed by `finish`
            moved, self._parts = self._parts, []
        else:
            moved = [part]
        with disk_full():
            for one in moved:
                self._file.write(one.data)

    def finish(self) -> NDArray[Any]:
        """Return all rows (N, *shape), in memory or as a mapped file. Raises: WriteFailed."""
        shape = (self._rows, *self._shape)
        if self._file is None:
            return np.concatenate(self._parts) if self._parts else np.empty(shape, self._dtype)
        with self._file as file, disk_full():
            file.flush()
            return np.memmap(file, self._dtype, "r+", shape=shape)


def gather(
    arrays: Mapping[str, NDArray[Any]], index: NDArray[np.int64], *, limit_bytes: int = LIMIT_BYTES
) -> dict[str, NDArray[Any]]:
    """Return the rows of each array that `index` names, in its order.

    What is larger than `limit_bytes` goes to one temporary file, however many arrays there are; objects stay.
    Raises: WriteFailed.
    """

    def chunks(name: str) -> Iterator[NDArray[Any]]:
        values = arrays[name]
        return (values[index[part]] for part in chunked(values, len(index)))

    return _rows(arrays, len(index), chunks, limit_bytes)


def concatenate(
    several: Sequence[Mapping[str, NDArray[Any]]], *, limit_bytes: int = LIMIT_BYTES
) -> dict[str, NDArray[Any]]:
    """Put the arrays of a name one after the other, where `gather` would put them. Raises: WriteFailed."""
    if len(several) == 1:
        return dict(several[0])
    count = sum(len(next(iter(one.values()))) for one in several)

    def chunks(name: str) -> Iterator[NDArray[Any]]:
        return (one[name][part] for one in several for part in chunked(one[name], len(one[name])))

    return _rows(several[0], count, chunks, limit_bytes)


def chunked(values: NDArray[Any], count: int) -> Iterator[slice]:
    """Divide `count` rows such as the array's into parts of some MB."""
    rows = max(1, _CHUNK_BYTES // max(1, prod(values.shape[1:]) * values.itemsize))
    return (slice(start, start + rows) for start in range(0, count, rows))


def _rows(
    like: Mapping[str, NDArray[Any]],
    count: int,
    chunks: Callable[[str], Iterator[NDArray[Any]]],
    limit_bytes: int,
) -> dict[str, NDArray[Any]]:
    """Make arrays of `count` rows of what comes in chunks, in memory or in one file."""
    shapes = {name: (count, *values.shape[1:]) for name, values in like.items()}
    on_disk = {name: values.dtype for name, values in like.items() if values.dtype != object}
    if sum(prod(shapes[name]) * dtype.itemsize for name, dtype in on_disk.items()) <= limit_bytes:
        on_disk = {}
    rows = {
        name: _held(shapes[name], values.dtype, chunks(name))
        for name, values in like.items()
        if name not in on_disk
    }
    if on_disk:
        with TemporaryFile() as file, disk_full():
            offsets = {name: _write(file, chunks(name)) for name in on_disk}
            file.flush()
            mapped = np.memmap(file, np.uint8, "r+")
        for name, dtype in on_disk.items():
            end = offsets[name] + prod(shapes[name]) * dtype.itemsize
            rows[name] = mapped[offsets[name] : end].view(dtype).reshape(shapes[name])
    return {name: rows[name] for name in like}


def _held(shape: tuple[int, ...], dtype: np.dtype[Any], chunks: Iterator[NDArray[Any]]) -> NDArray[Any]:
    rows, start = np.empty(shape, dtype), 0
    for chunk in chunks:
        rows[start : start + len(chunk)] = chunk
        start += len(chunk)
    return rows


def _write(file: IO[bytes], chunks: Iterator[NDArray[Any]]) -> int:
    """Write rows at the end of a file, and return where they begin."""
    start = -(-file.tell() // _ALIGNMENT) * _ALIGNMENT
    file.seek(start)
    for chunk in chunks:
        file.write(np.ascontiguousarray(chunk).data)
    return start


@contextmanager
def disk_full() -> Iterator[None]:
    """Tell of a disk that is full where temporary files are. Raises: WriteFailed."""
    try:
        yield
    except OSError as error:
        if error.errno not in {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}:
            raise
        raise WriteFailed(
            path=Path(gettempdir()),
            reason="it is too full for the data; the variable TMPDIR can name another folder",
        ) from None
