"""CIFAR-10's and CIFAR-100's own binary files: a folder of them, or the .tar.gz that they come in, or a zip.

Source: https://www.cs.toronto.edu/~kriz/cifar.html ("Binary version": a byte, or two, for the label, and
3,072 for the pixels, red before green before blue, row by row). The version for Python is made of pickles,
which are never read: they could run anything.
"""

from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from lampyris_build.data.dataset import Feature, Samples, Source
from lampyris_build.data.members import read_members
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
_FILES: Final = (
    *_CIFAR_10,
    *_CIFAR_100,
    "test_batch.bin",
    "test.bin",
    "batches.meta.txt",
    "fine_label_names.txt",
)
_WANTED: Final = (
    "looked for data_batch_1.bin to data_batch_5.bin, test_batch.bin and batches.meta.txt (CIFAR-10), or "
    "train.bin, test.bin and fine_label_names.txt (CIFAR-100), in a folder, a .tar.gz or a zip: the binary "
    "version."
)


def read_cifar(path: Path) -> Source:
    """Read 50,000 + 10,000 pictures of 32 x 32 pixels; CIFAR-100's classes are the fine ones.

    Raises: DatasetMissing, DatasetBroken.
    """
    files = read_members(path, _FILES, max_bytes=_MAX_FILE_BYTES, layout=_WANTED)
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
