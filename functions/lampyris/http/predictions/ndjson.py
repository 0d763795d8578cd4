"""Newline-delimited JSON: a row on each line, or an object that names the row of each input."""

from typing import Any

import msgspec

from lampyris.domain.signature import Signature, TensorSpec
from lampyris.domain.tensors import Array
from lampyris.errors import InvalidTensor, MalformedRequest
from lampyris.http.predictions.rows import check_lines, only_input, stack, unknown_input

_COLUMN_RANK = 2


def read_ndjson(body: bytes, signature: Signature) -> dict[str, Array]:
    """Turn lines of JSON into arrays; blank lines are passed over.

    An input of shape (N, 1) takes plain values as well as lists of one.
    Raises: MalformedRequest, InvalidTensor naming the line, 1 for the first; TooManyRows.
    """
    rows, lines = _read_lines(body)
    columns = _columns(rows, lines, signature)
    arrays = {}
    for spec in signature.inputs:
        values = stack(spec, columns[spec.name], lambda place: f"line {lines[place]}")
        arrays[spec.name] = values[:, None] if values.ndim == 1 and _is_column(spec) else values
    return arrays


def _read_lines(body: bytes) -> tuple[list[Any], list[int]]:
    """Return what the lines hold, and their numbers."""
    check_lines(body)
    rows, lines = [], []
    for number, line in enumerate(body.split(b"\n"), start=1):
        if not line.strip():
            continue
        try:
            rows.append(msgspec.json.decode(line))
        except RecursionError:
            raise MalformedRequest(reason=f"Line {number} is nested too deeply.") from None
        except (msgspec.DecodeError, UnicodeError) as error:
            raise MalformedRequest(reason=f"Line {number} is not valid JSON: {error}.") from None
        lines.append(number)
    if not rows:
        raise MalformedRequest(reason="The body holds no rows; send one on each line.")
    return rows, lines


def _columns(rows: list[Any], lines: list[int], signature: Signature) -> dict[str, list[Any]]:
    """Return the rows of each input."""
    named = isinstance(rows[0], dict)
    for row, line in zip(rows, lines, strict=True):
        if isinstance(row, dict) != named:
            wanted = "an object" if named else "a row"
            raise MalformedRequest(
                reason=f"Line {line} is not {wanted}, as line {lines[0]} is; send the same on every line."
            )
    if not named:
        return {only_input(signature, "send an object on each line that names them").name: rows}
    columns: dict[str, list[Any]] = {spec.name: [] for spec in signature.inputs}
    for row, line in zip(rows, lines, strict=True):
        for name in row:
            if name not in columns:
                error = unknown_input(name, signature)
                raise InvalidTensor(tensor=name, reason=f"line {line}: {error.reason}")
        for name, column in columns.items():
            if name not in row:
                raise InvalidTensor(tensor=name, reason=f"line {line}: this input is missing.")
            column.append(row[name])
    return columns


def _is_column(spec: TensorSpec) -> bool:
    return len(spec.shape) == _COLUMN_RANK and spec.shape[1] == 1
