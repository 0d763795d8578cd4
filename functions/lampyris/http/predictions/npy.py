"""numpy's own file format, in and out. Nothing of it is ever unpickled.

Source: numpy.lib.format, versions 1.0 to 3.0.
"""

from io import BytesIO
from math import prod
from typing import Any

import numpy as np
from numpy.lib import format as npy

from lampyris.domain.signature import Signature, TensorSpec
from lampyris.domain.tensors import NUMPY_OF, Array
from lampyris.errors import InvalidTensor, MalformedRequest, NotAcceptable
from lampyris.http.large_answer import ANSWER_LIMIT_BYTES
from lampyris.http.predictions.rows import only_input

_MAX_RANK = 32
_MAX_DIMENSION = 2**31 - 1
_LETTER_BYTES = 4
# Version 3.0 is 2.0 with other letters in the names of fields, and no fields are taken.
_HEADERS = {
    b"\x93NUMPY\1\0": npy.read_array_header_1_0,
    b"\x93NUMPY\2\0": npy.read_array_header_2_0,
    b"\x93NUMPY\3\0": npy.read_array_header_2_0,
}
_LAST_POINT, _SURROGATES = 0x10FFFF, (0xD800, 0xDFFF)  # Unicode's
_INTEGERS = "iu"
_KINDS = "biufU"  # numpy's: booleans, integers with and without sign, floats, strings


def read_npy(body: bytes, signature: Signature) -> dict[str, Array]:
    """Turn a .npy file into the array of a model's only input; NaN and infinity come through as they are.

    Another dtype of the same kind is taken where no value changes, and so are Fortran's order and either
    byte order.
    Raises: MalformedRequest if it is no such file; InvalidTensor if its dtype cannot be the input's.
    """
    spec = only_input(signature, "a .npy file holds one array; send JSON with rows by name")
    values = _read_array(body)
    return {spec.name: _strings(values, spec) if spec.datatype == "BYTES" else _cast(values, spec)}


def write_npy(values: Array) -> bytes:
    """Write an array as a .npy file; strings in numpy's own type for them.

    Raises: NotAcceptable for strings that numpy's type cannot carry, or only at their longest's size each.
    """
    file = BytesIO()
    npy.write_array(file, _of_one_width(values) if values.dtype.hasobject else values, allow_pickle=False)
    return file.getvalue()


def _of_one_width(values: Array) -> Array:
    texts = values.ravel().tolist()
    if any(text.endswith("\0") for text in texts):
        raise NotAcceptable(
            reason="A string of the answer ends in NUL, which .npy cannot carry; accept JSON."
        )
    size_bytes = max(map(len, texts), default=0) * _LETTER_BYTES * len(texts)
    if size_bytes > ANSWER_LIMIT_BYTES:
        raise NotAcceptable(
            reason=f"As .npy, where every string takes as much as the longest, the answer has {size_bytes:,} "
            f"bytes; at most {ANSWER_LIMIT_BYTES:,} can be sent. Accept JSON."
        )
    return values.astype(np.str_)


def _read_array(body: bytes) -> Array:
    """Read a file's values where they stand, once its header promises as many as there are."""
    shape, fortran_order, dtype, start = read_header(body)
    if dtype.hasobject:
        raise MalformedRequest(
            reason="The .npy file holds pickled objects, which are never read; save numbers or strings."
        )
    if dtype.kind not in _KINDS or not dtype.itemsize:
        raise MalformedRequest(reason=f"The .npy file holds {dtype}; save numbers, booleans or strings.")
    if len(shape) > _MAX_RANK or not all(0 <= size <= _MAX_DIMENSION for size in shape):
        raise MalformedRequest(
            reason=f"A .npy file may have {_MAX_RANK} dimensions, each of 0 to {_MAX_DIMENSION:,}."
        )
    came_bytes, wanted_bytes = len(body) - start, prod(shape) * dtype.itemsize
    if came_bytes != wanted_bytes:
        raise MalformedRequest(
            reason=f"The .npy file holds {came_bytes:,} bytes of values; "
            f"{dtype} of shape {list(shape)} has {wanted_bytes:,}."
        )
    flat: Array = np.frombuffer(body, dtype, offset=start) if wanted_bytes else np.empty(0, dtype)
    try:
        return flat.reshape(shape, order="F" if fortran_order else "C")
    except ValueError:  # no values at all, and yet its other dimensions multiply beyond 64 bits
        raise MalformedRequest(reason=f"Shape {list(shape)} is larger than any array.") from None


def read_header(body: bytes) -> tuple[tuple[int, ...], bool, "np.dtype[Any]", int]:
    """Return shape, whether it is in Fortran's order, dtype, and where the values begin."""
    read = _HEADERS.get(body[:8])
    if read is None:
        raise MalformedRequest(reason="The body is not a .npy file of version 1.0, 2.0 or 3.0.")
    file = BytesIO(body)
    file.seek(8)
    try:
        return *read(file), file.tell()
    except Exception as error:  # noqa: BLE001 - numpy evaluates a literal in it: its errors have no common root
        reason = str(error).partition("\n")[0]
        raise MalformedRequest(reason=f"The .npy file's header cannot be read: {reason}") from None


def _strings(values: Array, spec: TensorSpec) -> Array:
    if values.dtype.kind != "U":
        raise _misfit(values, spec, "array.astype(str)")
    native = values.astype(values.dtype.newbyteorder("="))
    points = native.ravel().view(np.uint32)  # numpy gives each letter four bytes, which may be anything
    if ((points > _LAST_POINT) | ((points >= _SURROGATES[0]) & (points <= _SURROGATES[1]))).any():
        raise InvalidTensor(tensor=spec.name, reason="the .npy file holds strings that are not Unicode.")
    return native.astype(object)


def _cast(values: Array, spec: TensorSpec) -> Array:
    """Return the values in the input's dtype, contiguous as onnxruntime wants them."""
    dtype: np.dtype[Any] = NUMPY_OF[spec.datatype]
    came, wanted = values.dtype.kind, dtype.kind
    fix = f"array.astype(np.{dtype.name})"
    if came != wanted and not (came in _INTEGERS and wanted in _INTEGERS):
        raise _misfit(values, spec, fix)
    if wanted == "b":
        return np.require(values.view(np.uint8) != 0, requirements="C")  # a byte may be neither 0 nor 1
    with np.errstate(over="ignore", invalid="ignore"):
        cast = values.astype(dtype)
    if not np.array_equal(cast, values, equal_nan=wanted == "f"):
        raise InvalidTensor(
            tensor=spec.name,
            reason=f"the .npy file holds {values.dtype.name}, with values that {spec.datatype} does not hold "
            f"exactly; save {fix}.",
        )
    return np.require(cast, requirements=("C", "A"))


def _misfit(values: Array, spec: TensorSpec, fix: str) -> InvalidTensor:
    return InvalidTensor(
        tensor=spec.name,
        reason=f"the .npy file holds {values.dtype.name}; the model wants {spec.datatype}. Save {fix}.",
    )
