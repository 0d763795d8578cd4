"""A copy of a request that was answered, for the shadow of its alias: arrays as bytes, and never a pickle."""

from collections.abc import Mapping
from datetime import datetime
from typing import Literal

import msgspec
import numpy as np

from lampyris.domain.datatypes import Datatype
from lampyris.domain.tensors import NUMPY_OF, Array, check_shape, shaped
from lampyris.errors import InvalidTensor, MalformedRequest

_DATATYPE_OF: dict["np.dtype[np.generic]", Datatype] = {dtype: name for name, dtype in NUMPY_OF.items()}
_MILLISECONDS = 48  # bits; they last for 8,900 years


class CopiedTensor(msgspec.Struct, frozen=True, kw_only=True):
    """An array: little-endian, row by row; a list where its values are strings."""

    datatype: Datatype
    shape: tuple[int, ...]
    data: bytes | list[str]


class Copy(msgspec.Struct, frozen=True, kw_only=True):
    """What was asked and answered, by names of inputs and outputs, and by which version of which alias."""

    format: Literal[1] = 1
    id: str
    model: str
    alias: str
    revision: int
    answered: int
    shadow: int
    at: datetime
    run_ms: float
    inputs: dict[str, CopiedTensor]
    outputs: dict[str, CopiedTensor]


def copy_id(at: datetime, random: bytes) -> str:
    """Name a copy so that in key order the newest comes first; 10 random bytes tell it from any other."""
    newest_first = 2**_MILLISECONDS - 1 - int(at.timestamp() * 1000)
    return f"{newest_first:012x}{random.hex()}"


def copied(arrays: Mapping[str, Array]) -> dict[str, CopiedTensor]:
    """Take arrays into a copy."""
    return {name: _tensor(values) for name, values in arrays.items()}


def _tensor(values: Array) -> CopiedTensor:
    if values.dtype == np.object_:
        return CopiedTensor(
            datatype="BYTES", shape=values.shape, data=[str(value) for value in values.ravel().tolist()]
        )
    return CopiedTensor(datatype=_DATATYPE_OF[values.dtype], shape=values.shape, data=values.tobytes())


def arrays_of(tensors: Mapping[str, CopiedTensor]) -> dict[str, Array]:
    """Return a copy's arrays. Raises: InvalidTensor if one is not what its datatype and shape promise."""
    return {name: _array(name, tensor) for name, tensor in tensors.items()}


def _array(name: str, tensor: CopiedTensor) -> Array:
    check_shape(name, tensor.shape)
    dtype = NUMPY_OF[tensor.datatype]
    if isinstance(tensor.data, list) is not (tensor.datatype == "BYTES"):
        raise InvalidTensor(tensor=name, reason=f"its values are not written as those of {tensor.datatype}.")
    if isinstance(tensor.data, list):
        return shaped(name, np.array(tensor.data, dtype), tensor.shape)
    if len(tensor.data) % dtype.itemsize:
        raise InvalidTensor(tensor=name, reason=f"its bytes end inside a value of {tensor.datatype}.")
    return shaped(name, np.frombuffer(tensor.data, dtype).copy(), tensor.shape)


def encode_copy(copy: Copy) -> bytes:
    return msgspec.msgpack.encode(copy)


def decode_copy(data: bytes) -> Copy:
    """Read a copy. Raises: MalformedRequest if it is none."""
    try:
        return msgspec.msgpack.decode(data, type=Copy)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise MalformedRequest(reason=f"This is no copy of a request: {error}") from None
