"""Arrays as numpy's files hold them: pictures, vectors, windows of a series; and targets."""

from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from lampyris_build.data.dataset import Feature
from lampyris_build.errors import DatasetBroken

_CHANNELS: Final = (1, 3)
_SEVERAL: Final = 2  # dimensions: (N, T)


def as_inputs(path: Path, name: str, array: NDArray[Any]) -> tuple[Feature, NDArray[Any]]:
    """Say what an array of inputs holds, and return it as it is served; `name` is what an error calls it.

    uint8 are pictures, (N, height, width) or (N, height, width, 1 or 3); other numbers vectors,
    (N, features), or windows of a series, (N, length, features). Numbers become float32.
    Raises: DatasetBroken.
    """
    match array.shape:
        case (_, height, width) if array.dtype == np.uint8:
            return Feature(name="image", kind="image", shape=(height, width, 1)), array[..., np.newaxis]
        case (_, height, width, channels) if array.dtype == np.uint8 and channels in _CHANNELS:
            return Feature(name="image", kind="image", shape=(height, width, channels)), array
        case (_, features) if array.dtype.kind in "iuf":
            return Feature(name="features", kind="vector", shape=(features,)), array.astype(
                np.float32, copy=False
            )
        case (_, length, features) if array.dtype.kind == "f":
            return (
                Feature(name="series", kind="series", shape=(length, features)),
                array.astype(np.float32, copy=False),
            )
        case _:
            raise DatasetBroken(
                path=path,
                reason=f"{name} is {array.dtype} of shape {array.shape}; pictures are uint8 of shape "
                "(N, height, width) or (N, height, width, 1 or 3), vectors numbers of shape (N, features), "
                "series floating-point numbers of shape (N, length, features).",
            )


def as_targets(path: Path, name: str, array: NDArray[Any]) -> NDArray[Any]:
    """Accept an array of targets: (N,) numbers or words, or (N, T) numbers. Raises: DatasetBroken."""
    if array.dtype.kind in ("iufbU" if array.ndim == 1 else "iuf" if array.ndim == _SEVERAL else ""):
        return array
    raise DatasetBroken(
        path=path,
        reason=f"{name} is {array.dtype} of shape {array.shape}; targets are numbers or words, (N,), "
        "or several numbers each, (N, T).",
    )
