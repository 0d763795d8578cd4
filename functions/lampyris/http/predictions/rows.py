"""Rows as JSON carries them, and how a refusal names the one that is wrong."""

from bisect import bisect_left
from collections.abc import Callable
from math import nan
from typing import Any

import msgspec

from lampyris.domain.signature import Signature, TensorSpec
from lampyris.domain.tensors import Array, values_of
from lampyris.errors import InvalidTensor, MalformedRequest, TooManyRows
from lampyris.http.json_body import decode_body

MAX_LINES = 1_000_000


class PredictRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The JSON body: rows for a model with one input, or rows by input name."""

    inputs: list[Any] | dict[str, list[Any]]


_decode = msgspec.json.Decoder(PredictRequest).decode


def read_json(body: str | bytes, signature: Signature) -> dict[str, Array]:
    """Turn a JSON body into arrays.

    Raises: MalformedRequest, InvalidTensor naming the row, 1 for the first.
    """
    inputs = decode_body(_decode, body).inputs
    if isinstance(inputs, list):
        inputs = {only_input(signature, "send rows by name").name: inputs}
    specs = {spec.name: spec for spec in signature.inputs}
    for name in inputs:
        if name not in specs:
            raise unknown_input(name, signature)
    return {name: stack(specs[name], rows, lambda place: f"row {place + 1}") for name, rows in inputs.items()}


def only_input(signature: Signature, instead: str) -> TensorSpec:
    """Return the input of a model that has one; `instead` says what to do where it has not.

    Raises: MalformedRequest.
    """
    if len(signature.inputs) != 1:
        names = ", ".join(spec.name for spec in signature.inputs) or "{}, as it takes none"
        raise MalformedRequest(reason=f"The model has {len(signature.inputs)} inputs; {instead}: {names}.")
    return signature.inputs[0]


def unknown_input(name: str, signature: Signature) -> InvalidTensor:
    known = ", ".join(spec.name for spec in signature.inputs)
    return InvalidTensor(tensor=name, reason=f"the model has no such input; it takes {known}.")


def check_lines(body: bytes) -> None:
    """Raises: TooManyRows if a body has more lines than one request should."""
    if max(body.count(b"\n"), body.count(b"\r")) > MAX_LINES:
        raise TooManyRows(limit=MAX_LINES, rows="lines")


def stack(spec: TensorSpec, rows: list[Any], place: Callable[[int], str]) -> Array:
    """Turn rows into one array; `place` says where row 0, 1, ... stands in what was sent.

    null stands for what is missing, if the model fills that.
    Raises: InvalidTensor naming the first row that does not fit.
    """
    if spec.nullable:
        missing = "" if spec.datatype == "BYTES" else nan
        rows = [missing if row is None else row for row in rows]
    try:
        return values_of(spec.name, spec.datatype, rows)
    except InvalidTensor as error:
        # Whether the rows up to one are fine changes once, from yes to no, so halving finds the place.
        first = bisect_left(
            range(len(rows)), True, key=lambda row: _misfit(spec, rows[: row + 1]) is not None
        )
        if first == len(rows):
            raise
        alone = _misfit(spec, rows[first : first + 1])
        reason = alone.reason if alone else f"it is unlike the rows before it: {error.reason}"
        raise InvalidTensor(tensor=spec.name, reason=f"{place(first)}: {reason}") from None


def _misfit(spec: TensorSpec, rows: list[Any]) -> InvalidTensor | None:
    try:
        values_of(spec.name, spec.datatype, rows)
    except InvalidTensor as error:
        return error
    return None
