"""A training as bytes, for the processes of one group.

Arrays that are whole files are named, where all processes have this disk. All others are copied, those too
that outgrew memory into a file without a name, or are a part of one: every process must have room for them.
"""

import mmap
import pickle
from io import BytesIO
from typing import Any

import numpy as np

from lampyris_build.errors import InvalidRecipe


def to_bytes(value: Any, *, one_disk: bool = True) -> bytes:
    """Raises: InvalidRecipe if the user's network holds what cannot leave its process."""
    buffer = BytesIO()
    try:
        (_NamingPickler if one_disk else pickle.Pickler)(buffer).dump(value)
    except (pickle.PicklingError, AttributeError, TypeError, RuntimeError) as error:
        raise InvalidRecipe(
            reason=f"the network cannot be handed to other processes: {error}. Train it with one worker."
        ) from error
    return buffer.getvalue()


def from_bytes(data: bytes) -> Any:
    return pickle.loads(data)  # noqa: S301 - from process 0 of this very build


class _NamingPickler(pickle.Pickler):
    def reducer_override(self, value: Any) -> Any:
        # A part of a mapped array does not know where in the file it begins: only whole ones go by name.
        if isinstance(value, np.memmap) and isinstance(value.base, mmap.mmap) and value.filename is not None:
            order = "C" if value.flags.c_contiguous else "F"
            return np.memmap, (value.filename, value.dtype, "r", value.offset, value.shape, order)
        return NotImplemented
