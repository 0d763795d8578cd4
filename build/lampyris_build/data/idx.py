"""MNIST's own format, IDX: four files in a folder, gzipped or not.

Source: http://yann.lecun.com/exdb/mnist/ (a big-endian magic number, the sizes, then the bytes).
"""

import gzip
import struct
import zlib
from math import prod
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from lampyris_build.data.dataset import MAX_BYTES, Feature, Samples, Source
from lampyris_build.errors import DatasetBroken, DatasetMissing

_UNSIGNED_BYTE: Final = 0x08
_IMAGES: Final = 3  # dimensions: N, height, width
_LABELS: Final = 1


def read_idx(folder: Path) -> Source:
    """Read a folder with {train,t10k}-{images-idx3,labels-idx1}-ubyte; classes are called as their labels.

    Raises: DatasetMissing, DatasetBroken.
    """
    images, labels, test_images, test_labels = (
        _read(_find(folder, name), dimensions)
        for name, dimensions in (
            ("train-images-idx3-ubyte", _IMAGES),
            ("train-labels-idx1-ubyte", _LABELS),
            ("t10k-images-idx3-ubyte", _IMAGES),
            ("t10k-labels-idx1-ubyte", _LABELS),
        )
    )
    return Source(
        name=folder.name,
        features=(Feature(name="image", kind="image", shape=(*images.shape[1:], 1)),),
        samples=Samples(inputs={"image": images[..., np.newaxis]}, targets=labels),
        test=Samples(inputs={"image": test_images[..., np.newaxis]}, targets=test_labels),
    )


def _find(folder: Path, name: str) -> Path:
    for path in (folder / name, folder / f"{name}.gz"):
        if path.is_file():
            return path
    wanted = f"looked for {name} or {name}.gz"
    raise DatasetMissing(
        path=folder,
        wanted=f"{wanted}." if folder.is_dir() else f"{wanted} in it, but there is no such folder.",
    )


def _read(path: Path, dimensions: int) -> NDArray[np.uint8]:
    def broken(reason: str) -> DatasetBroken:
        return DatasetBroken(path=path, reason=reason)

    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            header = file.read(4 + 4 * dimensions)
            if len(header) < 4 + 4 * dimensions or header[:4] != bytes((0, 0, _UNSIGNED_BYTE, dimensions)):
                raise broken(
                    f"it does not start as an IDX file of unsigned bytes with {dimensions} dimension(s) does."
                )
            shape = struct.unpack(f">{dimensions}I", header[4:])
            if prod(shape) > MAX_BYTES:
                raise broken(f"its header claims {shape}, more than {MAX_BYTES:,} bytes.")
            data = file.read(prod(shape) + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise broken(f"it cannot be read: {error}.") from None
    if len(data) != prod(shape):
        came = "more" if len(data) > prod(shape) else f"{len(data):,}"
        raise broken(f"its header promises {prod(shape):,} bytes, but it holds {came}.")
    # A copy: torch wants arrays that may be written to.
    return np.frombuffer(data, dtype=np.uint8).reshape(shape).copy()
