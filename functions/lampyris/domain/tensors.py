"""Tensors as JSON carries them (Open Inference Protocol), and the checks before a model sees them."""

import struct
from collections.abc import Mapping
from itertools import chain
from math import prod
from typing import TYPE_CHECKING, Any, TypeAlias

import msgspec
import numpy as np

from lampyris.domain.datatypes import Datatype
from lampyris.domain.signature import DYNAMIC, Signature, TensorSpec
from lampyris.errors import InvalidTensor

if TYPE_CHECKING:  # numpy.typing is 4 ms of a cold start
    from numpy.typing import NDArray

Array: TypeAlias = "NDArray[Any]"

NUMPY_OF: dict[Datatype, np.dtype[Any]] = {
    "BOOL": np.dtype(np.bool_),
    "UINT8": np.dtype(np.uint8),
    "UINT16": np.dtype(np.uint16),
    "UINT32": np.dtype(np.uint32),
    "UINT64": np.dtype(np.uint64),
    "INT8": np.dtype(np.int8),
    "INT16": np.dtype(np.int16),
    "INT32": np.dtype(np.int32),
    "INT64": np.dtype(np.int64),
    "FP16": np.dtype(np.float16),
    "FP32": np.dtype(np.float32),
    "FP64": np.dtype(np.float64),
    "BYTES": np.dtype(np.object_),
}

# numpy iterates over no more dimensions; no model's tensor comes near either.
_MAX_RANK = 32
_MAX_DIMENSION = 2**31 - 1
# By numpy's kind: the JSON values that fit, a list of them, and what they are called.
_TYPES: dict[str, tuple[type, ...]] = {
    "b": (bool,),
    "u": (int,),
    "i": (int,),
    "f": (int, float),
    "O": (str,),
}
_LISTS: dict[str, Any] = {"b": list[bool], "u": list[int], "i": list[int], "f": list[float], "O": list[str]}
_WANTED = {"b": "booleans", "u": "integers", "i": "integers", "f": "numbers", "O": "strings"}
_CAME = {bool: "booleans", int: "integers", float: "numbers", str: "strings", type(None): "null"}


class Tensor(msgspec.Struct, frozen=True, kw_only=True):
    """A tensor in JSON. `data` is flat, row by row, or nested as `shape` says."""

    name: str
    shape: tuple[int, ...]
    datatype: Datatype
    data: list[Any]


def array_of(tensor: Tensor) -> Array:
    """Turn a wire tensor into an array of its shape and datatype.

    Raises: InvalidTensor if the data are not what datatype and shape promise.
    """
    name, shape = tensor.name, tensor.shape
    check_shape(name, shape)
    values = values_of(name, tensor.datatype, tensor.data)
    if values.ndim > 1 and values.shape != shape and values.size == prod(shape):
        raise InvalidTensor(
            tensor=name, reason=f"shape is {list(shape)}, but data is nested as {list(values.shape)}."
        )
    return shaped(name, values, shape)


def check_shape(name: str, shape: tuple[int, ...]) -> None:
    """Raises: InvalidTensor for a shape that no array can have, however many values there are."""
    if shape and min(shape) < 0:
        raise InvalidTensor(tensor=name, reason=f"shape {list(shape)} has a negative dimension.")
    if len(shape) > _MAX_RANK or (shape and max(shape) > _MAX_DIMENSION):
        raise InvalidTensor(
            tensor=name,
            reason=f"shape may have {_MAX_RANK} dimensions, each of {_MAX_DIMENSION:,} at most.",
        )


def shaped(name: str, values: Array, shape: tuple[int, ...]) -> Array:
    """Give values the shape that came with them. Raises: InvalidTensor if they are too few or too many."""
    if values.size != prod(shape):
        raise InvalidTensor(
            tensor=name,
            reason=f"shape {list(shape)} wants {prod(shape):,} values, but data holds {values.size:,}.",
        )
    try:
        return values.reshape(shape)
    except ValueError:  # no values at all, and yet its other dimensions multiply beyond 64 bits
        raise InvalidTensor(tensor=name, reason=f"shape {list(shape)} is larger than any array.") from None


def values_of(name: str, datatype: Datatype, data: list[Any]) -> Array:
    """Turn JSON values, flat or nested, into an array of `datatype`, shaped as they are nested.

    Memory stays in proportion to the number of values, whatever they are.
    Raises: InvalidTensor if a value does not fit the datatype, or if rows differ in length.
    """
    flat, shape = _flat(name, data)
    dtype = NUMPY_OF[datatype]
    if not flat:
        return np.empty(shape, dtype)
    try:
        # Strictly: no boolean is a number, and no number is an integer by chance.
        checked = msgspec.convert(flat, _LISTS[dtype.kind])
    except msgspec.ValidationError:
        raise _misfit(name, datatype, flat) from None
    if datatype == "BYTES":
        return np.array(checked, dtype).reshape(shape)
    try:
        # numpy's letters for C's types are struct's. Both ways are several times faster than np.array.
        one_byte = datatype in {"UINT8", "BOOL"}
        packed = bytearray(checked) if one_byte else struct.pack(f"{len(checked)}{dtype.char}", *checked)
    except (struct.error, OverflowError, ValueError):
        raise _out_of_range(name, datatype) from None
    values = np.frombuffer(packed, dtype)
    # JSON carries no infinity, but struct makes one of what is too large for C's float.
    if datatype == "FP32" and np.isinf(values).any():
        raise _out_of_range(name, datatype)
    return values.reshape(shape)


def _flat(name: str, data: list[Any]) -> tuple[list[Any], tuple[int, ...]]:
    """Take nested rows apart; a list further in, where the first value is none, is left for who converts."""
    shape = [len(data)]
    while data and type(data[0]) is list:
        width = len(data[0])
        if len(shape) == _MAX_RANK or any(type(row) is not list or len(row) != width for row in data):
            raise _uneven(name)
        shape.append(width)
        data = list(chain.from_iterable(data))
    return data, tuple(shape)


def _uneven(name: str) -> InvalidTensor:
    return InvalidTensor(
        tensor=name,
        reason=f"data is nested unevenly: all rows must be of one length, {_MAX_RANK} deep at most.",
    )


def _misfit(name: str, datatype: Datatype, flat: list[Any]) -> InvalidTensor:
    kind = NUMPY_OF[datatype].kind
    misfits = [value for value in flat if type(value) not in _TYPES[kind]]
    if not misfits:  # an integer that no float can hold
        return _out_of_range(name, datatype)
    if type(misfits[0]) is list:
        return _uneven(name)
    came = _CAME.get(type(misfits[0]), "objects")
    return InvalidTensor(tensor=name, reason=f"data holds {came}; datatype {datatype} wants {_WANTED[kind]}.")


def _out_of_range(name: str, datatype: Datatype) -> InvalidTensor:
    if datatype.startswith("FP"):
        return InvalidTensor(tensor=name, reason=f"data holds a number too large for {datatype}.")
    limits = np.iinfo(NUMPY_OF[datatype])
    return InvalidTensor(
        tensor=name, reason=f"data goes beyond {datatype}, which holds {limits.min} to {limits.max}."
    )


def tensor_of(spec: TensorSpec, values: Array) -> Tensor:
    """Turn an array into a wire tensor with flat data."""
    return Tensor(name=spec.name, shape=values.shape, datatype=spec.datatype, data=values.ravel().tolist())


def check_inputs(signature: Signature, inputs: Mapping[str, Array]) -> None:
    """Hold arrays against the signature before a run: names, dtypes, ranks, dimensions.

    Raises: InvalidTensor naming the tensor, what came, and what would be right.
    """
    specs = signature.inputs
    for spec in specs:
        values = inputs.get(spec.name)
        if values is None:
            _refuse_unknown(specs, inputs)
            raise InvalidTensor(
                tensor=spec.name,
                reason=f"this input is missing; it wants {spec.datatype} of shape {list(spec.shape)}.",
            )
        if values.dtype != NUMPY_OF[spec.datatype]:
            came = next(
                (name for name, dtype in NUMPY_OF.items() if dtype == values.dtype), str(values.dtype)
            )
            raise InvalidTensor(
                tensor=spec.name, reason=f"datatype is {came}; the model wants {spec.datatype}."
            )
        if not values.size and 0 not in spec.shape:  # onnxruntime's recurrent operators would end the process
            raise InvalidTensor(
                tensor=spec.name,
                reason=f"shape {list(values.shape)} holds no values; every dimension wants one at least.",
            )
        if not _fits(spec.shape, values.shape):
            raise InvalidTensor(
                tensor=spec.name,
                reason=f"shape is {list(values.shape)}; the model wants {list(spec.shape)} (-1: any size).",
            )
    if len(inputs) > len(specs):
        _refuse_unknown(specs, inputs)


def _fits(wanted: tuple[int, ...], came: tuple[int, ...]) -> bool:
    if len(wanted) != len(came):
        return False
    for size, there in zip(wanted, came, strict=True):  # noqa: SIM110 - all() takes twice the time, every time
        if size not in (DYNAMIC, there):
            return False
    return True


def _refuse_unknown(specs: tuple[TensorSpec, ...], inputs: Mapping[str, Array]) -> None:
    known = [spec.name for spec in specs]
    for name in inputs:
        if name not in known:
            raise InvalidTensor(
                tensor=name, reason=f"the model has no such input; it takes {', '.join(known)}."
            )
