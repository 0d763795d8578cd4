"""The process in which an artifact is tuned to this CPU; `confinement` starts it.

It reads the artifact from the folder, leaves the form for this CPU in TUNED_FOLDER, and says how much faster
that is.
"""

import os
import sys
from pathlib import Path

import msgspec
import numpy as np

from lampyris.domain.signature import DYNAMIC, TensorSpec
from lampyris.domain.tensors import NUMPY_OF, Array
from lampyris.errors import UnsupportedModel
from lampyris.publishing.comparison import speedup
from lampyris.publishing.confinement import (
    TUNED_FOLDER,
    VERDICT_FILE,
    Limits,
    limits_of_arguments,
)
from lampyris.publishing.limits import OUT_OF_MEMORY, keep_to
from lampyris.publishing.optimise import tune
from lampyris.publishing.runtime import refusing
from lampyris.publishing.signatures import signature_of
from lampyris.serving.fetch import GRAPH_FILE
from lampyris.serving.runtime import open_session

# What an open dimension is when the forms are compared: one row, of a size that a few convolutions can halve.
_ROWS, _OPEN_SIZE = 1, 64


def tune_artifact(folder: Path) -> float | None:
    """Make the form for this CPU of the artifact in `folder`; return how many times as fast it is.

    None if there is none, or if it does not answer random inputs as the artifact does.
    Raises: MemoryError.
    """
    tuned = folder / TUNED_FOLDER
    tuned.mkdir()
    try:
        if not tune(folder / GRAPH_FILE, tuned):
            return None
        with refusing("load the model"):
            portable = open_session(folder / GRAPH_FILE, threads=1)
            candidate = open_session(tuned / GRAPH_FILE, threads=1)
        inputs = {spec.name: drawn(spec) for spec in signature_of(portable).inputs}
        return speedup(portable, candidate, inputs)
    except UnsupportedModel:  # not every model runs on numbers that were drawn
        return None


def drawn(spec: TensorSpec) -> Array:
    """Draw a tensor: normal floats, pixels for UINT8; other numbers are 0, as they may be indices."""
    shape = [_OPEN_SIZE if size == DYNAMIC else size for size in spec.shape]
    if spec.shape[:1] == (DYNAMIC,):
        shape[0] = _ROWS
    random = np.random.default_rng(0)
    if spec.datatype.startswith("FP"):
        return random.normal(size=shape).astype(NUMPY_OF[spec.datatype])
    if spec.datatype == "UINT8":
        return random.integers(0, 256, shape, dtype=np.uint8)
    return np.full(shape, "" if spec.datatype == "BYTES" else 0, dtype=NUMPY_OF[spec.datatype])


def main(folder: Path, limits: Limits) -> None:
    """Write the outcome, or end as `confinement` understands: by the alarm, or with OUT_OF_MEMORY."""
    keep_to(memory_bytes=limits.memory_bytes, time_s=limits.time_s)
    try:
        outcome = tune_artifact(folder)
    except MemoryError:
        os._exit(OUT_OF_MEMORY)
    (folder / VERDICT_FILE).write_bytes(msgspec.json.encode(outcome))


if __name__ == "__main__":
    main(*limits_of_arguments(sys.argv[1:]))
