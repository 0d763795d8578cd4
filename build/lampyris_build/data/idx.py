"""MNIST's own format, IDX: four files in a folder, a zip or a tar, gzipped or not.

Source: http://yann.lecun.com/exdb/mnist/ (a big-endian magic number, the sizes, then the bytes).
"""

import gzip
import struct
import zlib
from io import BytesIO
from math import prod
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from lampyris_build.data.dataset import MAX_BYTES, Feature, Samples, Source
from lampyris_build.data.members import read_members
from lampyris_build.errors import DatasetBroken, DatasetMissing

_UNSIGNED_BYTE: Final = 0x08
# How many dimensions each has: N, height, width for pictures, N for labels.
_FILES: Final = {
    "train-images-idx3-ubyte": 3,
    "train-labels-idx1-ubyte": 1,
    "t10k-images-idx3-ubyte": 3,
    "t10k-labels-idx1-ubyte": 1,
}
_NAMES: Final = frozenset(name + suffix for name in _FILES for suffix in ("", ".gz"))
_LAYOUT: Final = f"looked for a folder, a zip or a .tar.gz with {', '.join(_FILES)}, gzipped or not."


def read_idx(path: Path) -> Source:
    """Read {train,t10k}-{images-idx3,labels-idx1}-ubyte; classes are called as their labels.

    Raises: DatasetMissing, DatasetBroken.
    """
    files = read_members(path, _NAMES, max_bytes=MAX_BYTES, layout=_LAYOUT)
    images, labels, test_images, test_labels = (
        _read(path, *_find(path, files, name), dimensions) for name, dimensions in _FILES.items()
    )
    return Source(
        name=path.name,
        features=(Feature(name="image", kind="image", shape=(*images.shape[1:], 1)),),
        samples=Samples(inputs={"image": images[..., np.newaxis]}, targets=labels),
        test=Samples(inputs={"image": test_images[..., np.newaxis]}, targets=test_labels),
    )


def _find(path: Path, files: dict[str, bytes], name: str) -> tuple[str, bytes]:
    for written in (name, f"{name}.gz"):
        if written in files:
            return written, files[written]
    raise DatasetMissing(path=path, wanted=f"looked for {name} or {name}.gz.")


def _read(path: Path, name: str, content: bytes, dimensions: int) -> NDArray[np.uint8]:
    def broken(reason: str) -> DatasetBroken:
        return DatasetBroken(path=path / name, reason=reason)

    header_bytes = 4 + 4 * dimensions
    try:
        with gzip.open(BytesIO(content)) if name.endswith(".gz") else BytesIO(content) as file:
            header = file.read(header_bytes)
            if len(header) < header_bytes or header[:4] != bytes((0, 0, _UNSIGNED_BYTE, dimensions)):
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
