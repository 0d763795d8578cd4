"""numpy's own archive: x_train and y_train, and x_test and y_test if there is a test set."""

import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lampyris_build.data.arrays import as_inputs, as_targets
from lampyris_build.data.dataset import MAX_BYTES, Feature, Samples, Source
from lampyris_build.errors import DatasetBroken, DatasetMissing


def read_npz(path: Path) -> Source:
    """Read the arrays that `arrays.as_inputs` and `arrays.as_targets` describe; targets may be left out.

    Raises: DatasetMissing, DatasetBroken.
    """
    if not path.is_file():
        raise DatasetMissing(path=path, wanted="looked for an .npz file with x_train and y_train.")
    arrays = _read(path)
    feature, samples = _samples(path, arrays, "train")
    if not {"x_test", "y_test"} & arrays.keys():
        return Source(name=path.name, features=(feature,), samples=samples)
    test_feature, test = _samples(path, arrays, "test")
    if test_feature != feature:
        raise DatasetBroken(
            path=path,
            reason=f"a sample of x_train is {feature.kind} of shape {feature.shape}, but one of x_test is "
            f"{test_feature.kind} of shape {test_feature.shape}.",
        )
    return Source(name=path.name, features=(feature,), samples=samples, test=test)


def _samples(path: Path, arrays: dict[str, NDArray[Any]], part: str) -> tuple[Feature, Samples]:
    x, y = f"x_{part}", f"y_{part}"
    has_targets = {"y_train", "y_test"} & arrays.keys()
    for name in (x, y) if has_targets else (x,):
        if name not in arrays:
            raise DatasetBroken(
                path=path, reason=f"it has no {name}; it has {', '.join(arrays) or 'nothing'}."
            )
    feature, inputs = as_inputs(path, x, arrays[x])
    targets = as_targets(path, y, arrays[y]) if has_targets else None
    return feature, Samples(inputs={feature.name: inputs}, targets=targets)


def _read(path: Path) -> dict[str, NDArray[Any]]:
    try:
        with zipfile.ZipFile(path) as archive:
            size_bytes = sum(member.file_size for member in archive.infolist())
        if size_bytes > MAX_BYTES:
            raise DatasetBroken(
                path=path,
                reason=f"unpacked it has {size_bytes:,} bytes; at most {MAX_BYTES:,} fit. Save its arrays "
                "as .npy, which are read from where they stand.",
            )
        with np.load(path, allow_pickle=False) as arrays:
            return dict(arrays)
    # RuntimeError: a member is encrypted.
    except (
        OSError,
        EOFError,
        ValueError,
        MemoryError,
        RuntimeError,
        zipfile.BadZipFile,
        zlib.error,
    ) as error:
        raise DatasetBroken(path=path, reason=f"it is no whole .npz file of plain arrays: {error}.") from None
