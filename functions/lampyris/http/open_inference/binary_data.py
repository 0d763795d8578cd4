"""Tensors as bytes: little-endian, row by row, nothing between the values.

A BOOL is one byte, 0 or 1. A BYTES value is its length in four bytes, then the bytes, which must be UTF-8:
ONNX knows strings, not bytes.
Source: Triton's binary tensor data extension (docs/protocol/extension_binary_data.md).
"""

from math import prod

import numpy as np

from lampyris.domain.datatypes import Datatype
from lampyris.domain.tensors import NUMPY_OF, Array, check_shape, shaped
from lampyris.errors import InvalidTensor

_LENGTH_BYTES = 4


def array_of_bytes(name: str, datatype: Datatype, shape: tuple[int, ...], data: memoryview) -> Array:
    """Turn bytes into an array of `shape`; numbers are not copied. They may be NaN or infinite: bytes can.

    Raises: InvalidTensor if the bytes are not what datatype and shape promise.
    """
    check_shape(name, shape)
    if datatype == "BYTES":
        return shaped(name, np.array(_strings(name, data), np.object_), shape)
    dtype = NUMPY_OF[datatype]
    wanted_bytes = prod(shape) * dtype.itemsize
    if len(data) != wanted_bytes:
        raise InvalidTensor(
            tensor=name,
            reason=f"shape {list(shape)} of {datatype} wants {wanted_bytes:,} bytes, "
            f"but there are {len(data):,}.",
        )
    if datatype == "BOOL" and np.frombuffer(data, np.uint8).max(initial=0) > 1:
        raise InvalidTensor(tensor=name, reason="a byte is neither 0 nor 1, which are all that BOOL knows.")
    values = np.frombuffer(data, dtype)
    if not values.flags.aligned:  # onnxruntime may read several values in one instruction that wants them so
        values = values.copy()
    return shaped(name, values, shape)


def _strings(name: str, data: memoryview) -> list[str]:
    values: list[str] = []
    at = 0
    while at < len(data):
        start = at + _LENGTH_BYTES
        at = start + int.from_bytes(data[at:start], "little")
        if at > len(data) or start > len(data):
            raise InvalidTensor(
                tensor=name,
                reason=f"value {len(values):,} goes beyond the tensor's {len(data):,} bytes; "
                "each is its length in four bytes, little-endian, then so many bytes.",
            )
        try:
            values.append(str(data[start:at], "utf-8"))
        except UnicodeDecodeError:
            raise InvalidTensor(
                tensor=name, reason=f"value {len(values):,} is not UTF-8, as strings of ONNX are."
            ) from None
    return values


def bytes_of(values: Array) -> bytes:
    """Turn an array into bytes."""
    if values.dtype != np.object_:
        return values.tobytes()
    encoded = [str(value).encode() for value in values.ravel().tolist()]
    return b"".join(len(value).to_bytes(_LENGTH_BYTES, "little") + value for value in encoded)
