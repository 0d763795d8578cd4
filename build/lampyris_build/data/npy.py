"""numpy's file of one array: one of inputs and, if there is anything to predict, one of targets."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lampyris_build.data.arrays import as_inputs, as_targets
from lampyris_build.data.dataset import Samples, Source
from lampyris_build.data.spool import Spool, chunked
from lampyris_build.errors import DatasetBroken, DatasetMissing


def read_npy(path: Path, targets: Path | None) -> Source:
    """Map arrays as `arrays.as_inputs` and `arrays.as_targets` describe them; they stay on disk until used.

    Numbers that are not float32 become so in a file of their own.
    Raises: DatasetMissing, DatasetBroken.
    """
    array = _mapped(path)
    if array.dtype.kind in "iuf" and array.dtype not in (np.uint8, np.float32):
        array = _as_float32(array)
    feature, inputs = as_inputs(path, "it", array)
    return Source(
        name=path.name,
        features=(feature,),
        samples=Samples(
            inputs={feature.name: inputs},
            targets=None if targets is None else as_targets(targets, "it", np.array(_mapped(targets))),
        ),
    )


def _mapped(path: Path) -> NDArray[Any]:
    if not path.is_file():
        raise DatasetMissing(path=path, wanted="looked for an .npy file.")
    try:
        # Copied when written to: torch wants arrays that may be.
        array: NDArray[Any] = np.load(path, mmap_mode="c", allow_pickle=False)
    except (OSError, EOFError, ValueError) as error:
        raise DatasetBroken(path=path, reason=f"it is no whole .npy file of plain values: {error}.") from None
    if not isinstance(array, np.ndarray):
        array.close()
        raise DatasetBroken(path=path, reason='it is an archive of arrays; set dataset.source = "npz".')
    if array.ndim == 0:
        raise DatasetBroken(path=path, reason="it holds a single value.")
    return array


def _as_float32(array: NDArray[Any]) -> NDArray[Any]:
    spool = Spool(np.float32, array.shape[1:])
    for part in chunked(array, len(array)):
        spool.append(array[part])
    return spool.finish()
