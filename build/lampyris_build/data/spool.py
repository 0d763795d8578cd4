"""Arrays that may be larger than memory: they grow batch by batch, and beyond some size live in a file."""

import errno
from collections.abc import Iterator, Mapping
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
_CHUNK: Final = 4096  # rows
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
        with _disk_full():
            for one in moved:
                self._file.write(one.data)

    def finish(self) -> NDArray[Any]:
        """Return all rows (N, *shape), in memory or as a mapped file. Raises: WriteFailed."""
        shape = (self._rows, *self._shape)
        if self._file is None:
            return np.concatenate(self._parts) if self._parts else np.empty(shape, self._dtype)
        with self._file as file, _disk_full():
            file.flush()
            return np.memmap(file, self._dtype, "r+", shape=shape)


def gather(
    arrays: Mapping[str, NDArray[Any]], index: NDArray[np.int64], *, limit_bytes: int = LIMIT_BYTES
) -> dict[str, NDArray[Any]]:
    """Return the rows of each array that `index` names, in its order.

    What is larger than `limit_bytes` goes to one temporary file, however many arrays there are; objects stay.
    Raises: WriteFailed.
    """
    on_disk = {name: values for name, values in arrays.items() if values.dtype != object}
    row_bytes = sum(prod(values.shape[1:]) * values.itemsize for values in on_disk.values())
    if len(index) * row_bytes <= limit_bytes:
        return {name: values[index] for name, values in arrays.items()}
    with TemporaryFile() as file, _disk_full():
        offsets = {name: _write(file, values, index) for name, values in on_disk.items()}
        file.flush()
        mapped = np.memmap(file, np.uint8, "r+")
    gathered = {}
    for name, values in arrays.items():
        if name not in offsets:
            gathered[name] = values[index]
            continue
        shape = (len(index), *values.shape[1:])
        start, size_bytes = offsets[name], prod(shape) * values.itemsize
        gathered[name] = mapped[start : start + size_bytes].view(values.dtype).reshape(shape)
    return gathered


def _write(file: IO[bytes], values: NDArray[Any], index: NDArray[np.int64]) -> int:
    """Write rows at the end of a file, and return where they begin."""
    start = -file.tell() % _ALIGNMENT + file.tell()
    file.seek(start)
    for first in range(0, len(index), _CHUNK):
        file.write(np.ascontiguousarray(values[index[first : first + _CHUNK]]).data)
    return start


@contextmanager
def _disk_full() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno not in {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}:
            raise
        raise WriteFailed(
            path=Path(gettempdir()),
            reason="it is too full for the data; the variable TMPDIR can name another folder",
        ) from None
