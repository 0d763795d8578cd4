"""CIFAR-10's and CIFAR-100's own binary files: a folder of them, or the .tar.gz that they come in.

Source: https://www.cs.toronto.edu/~kriz/cifar.html ("Binary version": a byte, or two, for the label, and
3,072 for the pixels, red before green before blue, row by row). The version for Python is made of pickles,
which are never read: they could run anything.
"""

import tarfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path, PurePosixPath
from typing import IO, Final

import numpy as np
from numpy.typing import NDArray

from lampyris_build.data.dataset import Feature, Samples, Source
from lampyris_build.errors import DatasetBroken, DatasetMissing

_SHAPE: Final = (3, 32, 32)
_PIXELS: Final = 3 * 32 * 32
_MAX_FILE_BYTES: Final = 256 * 1024**2  # the largest has 154 MB
_CIFAR_10: Final[tuple[str, ...]] = (
    "data_batch_1.bin",
    "data_batch_2.bin",
    "data_batch_3.bin",
    "data_batch_4.bin",
    "data_batch_5.bin",
)
_CIFAR_100: Final[tuple[str, ...]] = ("train.bin",)
_WANTED: Final = (
    "looked for data_batch_1.bin to data_batch_5.bin, test_batch.bin and batches.meta.txt (CIFAR-10), or "
    "train.bin, test.bin and fine_label_names.txt (CIFAR-100), in a folder or a .tar.gz: the binary version."
)


def read_cifar(path: Path) -> Source:
    """Read 50,000 + 10,000 pictures of 32 x 32 pixels; CIFAR-100's classes are the fine ones.

    Raises: DatasetMissing, DatasetBroken.
    """
    files = _read(path)
    if set(_CIFAR_10) <= files.keys():
        train, test, names, label_bytes = _CIFAR_10, "test_batch.bin", "batches.meta.txt", 1
    elif set(_CIFAR_100) <= files.keys():
        train, test, names, label_bytes = _CIFAR_100, "test.bin", "fine_label_names.txt", 2
    else:
        pickled = {"data_batch_1", "train"} & files.keys()
        hint = "it is the version for Python, made of pickles, which are never read; " if pickled else ""
        raise DatasetMissing(path=path, wanted=hint + _WANTED)
    for name in (test, names):
        if name not in files:
            raise DatasetMissing(path=path, wanted=f"it lacks {name}; {_WANTED}")
    return Source(
        name=path.name.removesuffix(".tar.gz"),
        features=(Feature(name="image", kind="image", shape=(*_SHAPE[1:], _SHAPE[0])),),
        samples=_samples(path, {name: files[name] for name in train}, label_bytes),
        test=_samples(path, {test: files[test]}, label_bytes),
        classes=tuple(files[names].decode(errors="replace").split()),
    )


def _samples(path: Path, files: dict[str, bytes], label_bytes: int) -> Samples:
    row_bytes = label_bytes + _PIXELS
    for name, data in files.items():
        if not data or len(data) % row_bytes:
            raise DatasetBroken(
                path=path, reason=f"{name} has {len(data):,} bytes, which is no multiple of {row_bytes:,}."
            )
    rows: NDArray[np.uint8] = np.concatenate(
        [np.frombuffer(data, np.uint8).reshape(-1, row_bytes) for data in files.values()]
    )
    pixels = rows[:, label_bytes:].reshape(-1, *_SHAPE).transpose(0, 2, 3, 1)
    return Samples(
        inputs={"image": np.ascontiguousarray(pixels)}, targets=rows[:, label_bytes - 1].astype(np.int64)
    )


def _read(path: Path) -> dict[str, bytes]:
    """Return the dataset's files by their names, whatever folder they are in; of others, the names alone."""
    wanted = {
        *_CIFAR_10,
        *_CIFAR_100,
        "test_batch.bin",
        "test.bin",
        "batches.meta.txt",
        "fine_label_names.txt",
    }
    files = {}
    try:
        for name, size_bytes, open_file in _from_folder(path) if path.is_dir() else _from_tar(path):
            if name in wanted and size_bytes > _MAX_FILE_BYTES:
                raise DatasetBroken(
                    path=path, reason=f"{name} has {size_bytes:,} bytes, more than any of CIFAR's."
                )
            with open_file() as file:
                files[name] = file.read() if name in wanted else b""
    except (tarfile.TarError, zlib.error, EOFError, OSError) as error:
        raise DatasetBroken(path=path, reason=f"it cannot be read: {error}.") from None
    return files


_File = tuple[str, int, Callable[[], AbstractContextManager[IO[bytes]]]]


def _from_folder(folder: Path) -> Iterator[_File]:
    for path in folder.rglob("*"):
        if path.is_file():
            yield path.name, path.stat().st_size, partial(_open, path)


def _open(path: Path) -> IO[bytes]:
    return path.open("rb")


def _from_tar(path: Path) -> Iterator[_File]:
    if not path.is_file():
        raise DatasetMissing(path=path, wanted=_WANTED)
    with tarfile.open(path) as archive:
        for member in archive:
            if member.isfile():
                yield PurePosixPath(member.name).name, member.size, partial(_member, archive, member)


def _member(archive: tarfile.TarFile, member: tarfile.TarInfo) -> IO[bytes]:
    file = archive.extractfile(member)
    assert file is not None
    return file
