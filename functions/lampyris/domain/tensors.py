"""Tensors as JSON carries them (Open Inference Protocol), and the checks before a model sees them."""

from collections.abc import Mapping
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

# JSON carries no infinity, so only a cast to fewer bits can make one.
_LARGEST: dict[Datatype, float] = {
    "FP16": float(np.finfo(np.float16).max),
    "FP32": float(np.finfo(np.float32).max),
}
# numpy iterates over no more dimensions; no model's tensor comes near either.
_MAX_RANK = 32
_MAX_DIMENSION = 2**31 - 1
_CAME = {"b": "booleans", "i": "integers", "u": "integers", "f": "numbers", "U": "strings"}


class Tensor(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A tensor on the wire. `data` is flat, row by row, or nested as `shape` says."""

    name: str
    shape: tuple[int, ...]
    datatype: Datatype
    data: list[Any]
    parameters: dict[str, Any] | None = None


def array_of(tensor: Tensor) -> Array:
    """Turn a wire tensor into an array of its shape and datatype.

    Raises: InvalidTensor if the data are not what datatype and shape promise.
    """
    name, shape = tensor.name, tensor.shape
    if shape and min(shape) < 0:
        raise InvalidTensor(tensor=name, reason=f"shape {list(shape)} has a negative dimension.")
    if len(shape) > _MAX_RANK or (shape and max(shape) > _MAX_DIMENSION):
        raise InvalidTensor(
            tensor=name,
            reason=f"shape may have {_MAX_RANK} dimensions, each of {_MAX_DIMENSION:,} at most.",
        )
    values = values_of(name, tensor.datatype, tensor.data)
    if values.size != prod(shape):
        raise InvalidTensor(
            tensor=name,
            reason=f"shape {list(shape)} wants {prod(shape):,} values, but data holds {values.size:,}.",
        )
    if values.ndim > 1 and values.shape != shape:
        raise InvalidTensor(
            tensor=name, reason=f"shape is {list(shape)}, but data is nested as {list(values.shape)}."
        )
    try:
        return values.reshape(shape)
    except ValueError:  # no values at all, and yet its other dimensions multiply beyond 64 bits
        raise InvalidTensor(tensor=name, reason=f"shape {list(shape)} is larger than any array.") from None


def values_of(name: str, datatype: Datatype, data: list[Any]) -> Array:
    """Turn JSON values, flat or nested, into an array of `datatype`, shaped as they are nested.

    Raises: InvalidTensor if a value does not fit the datatype, or if rows differ in length.
    """
    dtype = NUMPY_OF[datatype]
    if datatype == "BYTES":
        return _strings(name, data)
    if datatype == "UINT8":
        try:
            return np.frombuffer(bytearray(data), np.uint8)  # pixels: eight times faster than np.array
        except (TypeError, ValueError):
            pass  # nested, or not all of them bytes
    try:
        values = np.array(data)
    except (ValueError, OverflowError, RecursionError):
        raise InvalidTensor(
            tensor=name, reason="data is nested unevenly: all rows must be of one length."
        ) from None
    if values.size == 0:
        return values.astype(dtype)
    fits = {"b": "b", "i": "iu", "u": "iu", "f": "fiu"}[dtype.kind]
    if dtype == np.uint64 and values.dtype.kind in "fO":  # numpy reads integers beyond 63 bits as floats
        values = _integers(values, data)
    if values.dtype.kind not in fits:
        came = _CAME.get(values.dtype.kind, "null, objects or integers beyond 64 bits")
        wanted = _CAME[dtype.kind]
        raise InvalidTensor(tensor=name, reason=f"data holds {came}; datatype {datatype} wants {wanted}.")
    if dtype.kind == "f":
        return _floats(name, datatype, values)
    cast = values.astype(dtype, copy=False)
    if dtype.kind != "b" and not (cast == values).all():
        limits = np.iinfo(dtype)
        raise InvalidTensor(
            tensor=name,
            reason=f"data goes from {values.min()} to {values.max()}; "
            f"{datatype} holds {limits.min} to {limits.max}.",
        )
    return cast


def _floats(name: str, datatype: Datatype, values: Array) -> Array:
    largest = _LARGEST.get(datatype)
    if largest is not None and (values.max() > largest or values.min() < -largest):
        raise InvalidTensor(tensor=name, reason=f"data holds a number too large for {datatype}.")
    return values.astype(NUMPY_OF[datatype], copy=False)


def _integers(values: Array, data: list[Any]) -> Array:
    """Read JSON values again as exact integers; `values` stands where they are not all such, or too large."""
    exact = np.array(data, dtype=np.object_)
    found: list[Any] = exact.ravel().tolist()
    if all(type(value) is int and 0 <= value < 2**64 for value in found):
        return exact.astype(np.uint64)
    return values


def _strings(name: str, data: list[Any]) -> Array:
    values = np.array(data, dtype=np.object_)
    if not all(isinstance(value, str) for value in values.ravel().tolist()):
        raise InvalidTensor(
            tensor=name, reason="data holds something else than strings; datatype BYTES wants strings."
        )
    return values


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
