"""numpy's own archive: x_train and y_train, and x_test and y_test if there is a test set."""

import zipfile
import zlib
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from lampyris_build.data.dataset import MAX_BYTES, Samples, Source, name_classes, source_of
from lampyris_build.errors import DatasetBroken, DatasetMissing
from lampyris_build.recipe import NpzDataset

_CHANNELS: Final = (1, 3)


def read_npz(dataset: NpzDataset) -> Source:
    """Read pictures (N, height, width[, 1 or 3]) of uint8, or vectors (N, features) of numbers.

    The labels are integers or words; the classes are called as they are.

    Raises: DatasetMissing, DatasetBroken.
    """
    path = Path(dataset.path).expanduser()
    if not path.is_file():
        raise DatasetMissing(path=path, wanted="looked for an .npz file with x_train and y_train.")
    arrays = _read(path)
    test = "x_test" in arrays or "y_test" in arrays
    for name in ("x_train", "y_train", *(("x_test", "y_test") if test else ())):
        if name not in arrays:
            raise DatasetBroken(
                path=path, reason=f"it has no {name}; it has {', '.join(arrays) or 'nothing'}."
            )
    inputs = _inputs(path, "x_train", arrays["x_train"])
    labels = _labels(path, "y_train", arrays["y_train"])
    if not test:
        classes, index, _ = name_classes(labels)
        return source_of(path, classes, Samples(inputs=inputs, labels=index))
    test_inputs = _inputs(path, "x_test", arrays["x_test"])
    classes, index, test_index = name_classes(labels, _labels(path, "y_test", arrays["y_test"]))
    return source_of(
        path, classes, Samples(inputs=inputs, labels=index), Samples(inputs=test_inputs, labels=test_index)
    )


def _read(path: Path) -> dict[str, NDArray[Any]]:
    try:
        with zipfile.ZipFile(path) as archive:
            size_bytes = sum(member.file_size for member in archive.infolist())
        if size_bytes > MAX_BYTES:
            raise DatasetBroken(
                path=path, reason=f"unpacked it has {size_bytes:,} bytes; at most {MAX_BYTES:,} fit."
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


def _inputs(path: Path, name: str, array: NDArray[Any]) -> NDArray[Any]:
    match array.shape:
        case (_, _, _) if array.dtype == np.uint8:
            return array[..., np.newaxis]
        case (_, _, _, channels) if array.dtype == np.uint8 and channels in _CHANNELS:
            return array
        case (_, _) if array.dtype.kind in "iuf":
            return array.astype(np.float32)
        case _:
            raise DatasetBroken(
                path=path,
                reason=f"{name} is {array.dtype} of shape {array.shape}; pictures are uint8 of shape "
                "(N, height, width) or (N, height, width, 1 or 3), vectors numbers of shape (N, features).",
            )


def _labels(path: Path, name: str, array: NDArray[Any]) -> NDArray[Any]:
    if array.ndim != 1 or array.dtype.kind not in "iuU":
        raise DatasetBroken(
            path=path,
            reason=f"{name} is {array.dtype} of shape {array.shape}; labels are integers or words, (N,).",
        )
    return array
