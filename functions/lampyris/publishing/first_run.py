"""What is handed to the process that times a cold start, and what comes back; it imports nothing for it."""

import os

import numpy as np

from lampyris.domain.tensors import Array

# When the process answered, in seconds of `time.monotonic`, which is one clock for all processes.
ANSWERED_FILE = "answered.txt"


def write_row(folder: str | os.PathLike[str], inputs: dict[str, Array], names: list[str]) -> None:
    """Leave the inputs of the one run; strings in numpy's own type for them, as nothing is pickled."""
    for place, name in enumerate(names):
        values = inputs[name]
        np.save(_file(folder, place), values.astype(np.str_) if values.dtype.hasobject else values)


def read_row(folder: str | os.PathLike[str], names: list[str]) -> dict[str, Array]:
    """Read what `write_row` left, given the same names."""
    arrays = [np.load(_file(folder, place), allow_pickle=False) for place in range(len(names))]
    return {
        name: values.astype(object) if values.dtype.kind == "U" else values
        for name, values in zip(names, arrays, strict=True)
    }


def _file(folder: str | os.PathLike[str], place: int) -> str:
    # By place, as a model's input may have any name.
    return f"{os.fspath(folder)}/row-{place}.npy"
