"""`:predict`: inputs by row (`instances`) or by column (`inputs`), and outputs in the same form."""

from collections.abc import Mapping
from typing import Any

import msgspec

from lampyris.domain.signature import Signature, TensorSpec
from lampyris.domain.tensors import Array
from lampyris.errors import InvalidTensor, MalformedRequest
from lampyris.http.tensorflow_serving.messages import (
    ColumnPredictResponse,
    PredictRequest,
    RowPredictResponse,
)
from lampyris.http.tensorflow_serving.values import array_of_rows, array_of_value, is_base64, json_of

_FORMS = {True: "an object of values by input name", False: "a value"}


def predict_inputs(request: PredictRequest, signature: Signature) -> dict[str, Array]:
    """Turn a request into arrays by input name.

    Raises: MalformedRequest, InvalidTensor, and what `decode_images` raises.
    """
    rows, columns = request.instances, request.inputs
    if rows is not msgspec.UNSET and columns is not msgspec.UNSET:
        raise MalformedRequest(reason="The body has both instances and inputs; send one of them.")
    if rows is not msgspec.UNSET:
        return inputs_of_rows(signature, _columns(signature, rows))
    if columns is msgspec.UNSET:
        raise MalformedRequest(reason="The body has neither instances nor inputs; send one of them.")
    if type(columns) is dict and not is_base64(columns):
        return {
            name: array_of_value(signature, spec_named(signature, name), value)
            for name, value in columns.items()
        }
    spec = _only_input(signature, "inputs as an object")
    return {spec.name: array_of_value(signature, spec, columns)}


def _columns(signature: Signature, rows: list[Any]) -> Mapping[str, list[Any]]:
    if not rows:
        raise MalformedRequest(reason="instances holds nothing; send one instance at least.")
    by_name = type(rows[0]) is dict and not is_base64(rows[0])
    for index, row in enumerate(rows):
        if (type(row) is dict and not is_base64(row)) != by_name:
            raise MalformedRequest(
                reason=f"Instance 0 is {_FORMS[by_name]}, instance {index} is {_FORMS[not by_name]}; "
                "send all in one form."
            )
    if not by_name:
        return {_only_input(signature, "each instance as an object").name: rows}
    return columns_of("Instance", rows)


def columns_of(kind: str, rows: list[dict[str, Any]]) -> dict[str, list[Any]]:
    """Turn objects into a list of values for each name.

    Raises: MalformedRequest if they do not all have the same names.
    """
    names = rows[0].keys()
    for index, row in enumerate(rows):
        if row.keys() != names:
            odd = min(row.keys() ^ names)
            has, lacks = (index, 0) if odd in row else (0, index)
            raise MalformedRequest(
                reason=f"{kind} {has} has {odd!r}, {kind.lower()} {lacks} has not; name every input in each."
            )
    return {name: [row[name] for row in rows] for name in names}


def inputs_of_rows(signature: Signature, columns: Mapping[str, list[Any]]) -> dict[str, Array]:
    """Turn each input's values, one for each instance, into an array. Raises: as `predict_inputs`."""
    return {
        name: array_of_rows(signature, spec_named(signature, name), rows) for name, rows in columns.items()
    }


def spec_named(signature: Signature, name: str) -> TensorSpec:
    """Return an input's specification. Raises: InvalidTensor if the model has no such input."""
    for spec in signature.inputs:
        if spec.name == name:
            return spec
    known = ", ".join(spec.name for spec in signature.inputs) or "none"
    raise InvalidTensor(tensor=name, reason=f"the model has no such input; it takes {known}.")


def _only_input(signature: Signature, instead: str) -> TensorSpec:
    if len(signature.inputs) != 1:
        names = ", ".join(spec.name for spec in signature.inputs) or "none"
        raise MalformedRequest(
            reason=f"The model has {len(signature.inputs)} inputs; send {instead} with them by name: {names}."
        )
    return signature.inputs[0]


def row_response(outputs: Mapping[str, Array]) -> RowPredictResponse:
    """Answer row by row.

    Raises: MalformedRequest if the outputs do not have the same first dimension, as rows need.
    """
    sizes = {name: values.shape[0] if values.ndim else None for name, values in outputs.items()}
    if None in sizes.values() or len(set(sizes.values())) > 1:
        shapes = ", ".join(f"{name} {list(values.shape)}" for name, values in outputs.items())
        raise MalformedRequest(
            reason=f"The outputs do not have one row for each instance ({shapes}); "
            "send inputs instead of instances."
        )
    lists = [json_of(name, values) for name, values in outputs.items()]
    if len(lists) == 1:
        return RowPredictResponse(predictions=lists[0])
    return RowPredictResponse(
        predictions=[dict(zip(outputs, row, strict=True)) for row in zip(*lists, strict=True)]
    )


def column_response(outputs: Mapping[str, Array]) -> ColumnPredictResponse:
    """Answer output by output."""
    lists = {name: json_of(name, values) for name, values in outputs.items()}
    return ColumnPredictResponse(outputs=next(iter(lists.values())) if len(lists) == 1 else lists)
