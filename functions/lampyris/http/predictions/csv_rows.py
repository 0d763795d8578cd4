"""Comma-separated values as the rows of a model's inputs (RFC 4180).

Which column is which:
- A model with one input takes a row of it on each line: its features from left to right, and of a row with
  more dimensions (a picture's pixels) the last axis fastest. The names in a header are not looked at.
- A model with several inputs takes a column for each, of shape (N,) or (N, 1). A header names them, in any
  order.

Whether there is a header, the media type may say: `text/csv; header=present` or `absent`. Without it, the
first line is one if not one of its cells is such a value as the input wants, and not all are empty; for
strings, if it is the name of the input.

Numbers must be finite; an empty cell is one that is missing, if the model fills those. Booleans are true,
false, 1 or 0. Blank lines are passed over.
"""

import csv
from array import array
from collections.abc import Callable, Iterator
from io import BytesIO, TextIOWrapper
from itertools import chain
from math import nan, prod
from typing import Any

import msgspec
import numpy as np

from lampyris.domain.signature import DYNAMIC, Signature, TensorSpec
from lampyris.domain.tensors import NUMPY_OF, Array
from lampyris.errors import InvalidTensor, MalformedRequest, UnsupportedMediaType
from lampyris.http.predictions.media_types import CSV, Content
from lampyris.http.predictions.rows import check_lines, unknown_input

_UTF_8 = ("", "utf-8", "utf8", "us-ascii")
_BOOLEANS = {"true": True, "false": False, "1": True, "0": False}
_COLUMN_RANK = 2
_SHOWN_LETTERS = 60


def _boolean(cell: str) -> bool:
    return _BOOLEANS[cell.strip().lower()]


class _Kind(msgspec.Struct, frozen=True):
    """How cells become values: what one is called, how to read one, and a buffer that holds many."""

    wanted: str
    read: Callable[[str], Any]
    buffer: Callable[[], Any]
    is_number: bool = False

    def read_strictly(self, cell: str) -> Any:
        """Read a cell, but no number that only Python writes so: `1_000`, or digits of another script."""
        if self.is_number and ("_" in cell or not cell.isascii()):
            raise ValueError(cell)
        return self.read(cell)

    def reads(self, cell: str) -> bool:
        try:
            self.buffer().extend((self.read_strictly(cell),))
        except (ValueError, OverflowError, KeyError):
            return False
        return True


def _number_or_missing(cell: str) -> float:
    return float(cell) if cell.strip() else nan


# By numpy's kind.
_KINDS = {
    "f": _Kind("a number", float, lambda: array("d"), is_number=True),
    "i": _Kind("an integer", int, lambda: array("q"), is_number=True),
    "u": _Kind("an integer of 0 or more", int, lambda: array("Q"), is_number=True),
    "b": _Kind("true, false, 1 or 0", _boolean, bytearray),
    "O": _Kind("a string", str, list),
}
_NULLABLE = _Kind("a number", _number_or_missing, lambda: array("d"), is_number=True)


class _Input(msgspec.Struct, frozen=True, kw_only=True):
    """An input, the cells of each line that belong to it, and the values read so far."""

    spec: TensorSpec
    kind: _Kind
    first: int
    end: int
    values: Any


def read_csv(content: Content, signature: Signature) -> dict[str, Array]:
    """Turn lines of cells into arrays.

    Raises: MalformedRequest, InvalidTensor naming line and column, 1 for the first; TooManyRows;
        UnsupportedMediaType if the text is not in UTF-8.
    """
    charset = content.parameters.get("charset", "").lower()
    if charset not in _UTF_8:
        raise UnsupportedMediaType(
            media_type=f"{CSV}; charset={charset}", supported=(f"{CSV}; charset=utf-8",)
        )
    check_lines(content.body)
    records = _records(content.body)
    first = next(records, None)
    if first is None:
        raise MalformedRequest(reason="The body holds no rows; send one on each line.")
    line, cells = first
    has_header = begins_with_header(content, cells, signature)
    inputs = _inputs(signature, cells)
    _check_width(line, cells, inputs)
    is_plain = content.body.isascii() and b"_" not in content.body
    lines = _read(records if has_header else chain([first], records), inputs, is_plain=is_plain)
    if not lines:
        raise MalformedRequest(reason="The body holds no rows below its header.")
    return {each.spec.name: _array(each, lines) for each in inputs}


def _records(body: bytes) -> Iterator[tuple[int, list[str]]]:
    """Yield the cells of each line that is not blank, with its number; of one that goes on, its last."""
    reader = csv.reader(TextIOWrapper(BytesIO(body), encoding="utf-8-sig", newline=""), strict=True)
    try:
        for cells in reader:
            if cells:
                yield reader.line_num, cells
    except csv.Error as error:
        raise MalformedRequest(reason=f"Line {reader.line_num} is not CSV: {error}.") from None
    except UnicodeDecodeError:
        raise MalformedRequest(reason="The body is not text in UTF-8.") from None


def begins_with_header(content: Content, first: list[str], signature: Signature) -> bool:
    """Tell whether the cells of a first line are names. Raises: MalformedRequest."""
    said = content.parameters.get("header", "").lower()
    if said not in {"", "present", "absent"}:
        raise MalformedRequest(reason=f"The media type has header={said!r}; it may be present or absent.")
    if len(signature.inputs) != 1:
        if said == "absent":
            names = ",".join(spec.name for spec in signature.inputs)
            raise MalformedRequest(reason=f"The model has several inputs; a header must name them: {names}.")
        return True
    if said:
        return said == "present"
    (spec,) = signature.inputs
    if spec.datatype == "BYTES":
        return first == [spec.name]
    kind = _KINDS[NUMPY_OF[spec.datatype].kind]
    return any(cell.strip() for cell in first) and not any(kind.reads(cell) for cell in first)


def _inputs(signature: Signature, first: list[str]) -> list[_Input]:
    """Say which cells of a line belong to which input; `first` are those of the first line."""
    if len(signature.inputs) == 1:
        (spec,) = signature.inputs
        return [_input(spec, 0, _width(spec, len(first)))]
    if not signature.inputs:
        raise MalformedRequest(reason='The model takes no inputs; send JSON: {"inputs": {}}.')
    names = [cell.strip() for cell in first]
    specs = {spec.name: spec for spec in signature.inputs}
    for name in names:
        if name not in specs:
            raise unknown_input(name, signature)
        if names.count(name) > 1:
            raise InvalidTensor(tensor=name, reason="the header names this input twice.")
    for name, spec in specs.items():
        if name not in names:
            raise InvalidTensor(tensor=name, reason="the header lacks this input.")
        if len(spec.shape) > _COLUMN_RANK or (len(spec.shape) == _COLUMN_RANK and spec.shape[1] > 1):
            raise InvalidTensor(
                tensor=name,
                reason=f"CSV has one column for each of several inputs, and this one has shape "
                f"{list(spec.shape)}; send JSON.",
            )
    return [_input(specs[name], column, 1) for column, name in enumerate(names)]


def _width(spec: TensorSpec, came: int) -> int:
    """Return how many columns a row of the only input has."""
    row_shape = spec.shape[1:]
    if DYNAMIC not in row_shape:
        return prod(row_shape)
    if len(row_shape) == 1:
        return came
    raise InvalidTensor(
        tensor=spec.name,
        reason=f"CSV does not tell how a row of shape {list(row_shape)} is folded (-1: any size); send JSON.",
    )


def _input(spec: TensorSpec, first: int, width: int) -> _Input:
    kind = _KINDS[NUMPY_OF[spec.datatype].kind]
    if spec.nullable and kind is _KINDS["f"]:
        kind = _NULLABLE
    return _Input(spec=spec, kind=kind, first=first, end=first + width, values=kind.buffer())


def _read(records: Iterator[tuple[int, list[str]]], inputs: list[_Input], *, is_plain: bool) -> "array[int]":
    """Read all cells into the values of their inputs; return the number of each row's line.

    `is_plain` says that no cell needs a closer look.
    """
    lines = array("q")
    parts = [
        (slice(each.first, each.end), each.kind.read if is_plain else each.kind.read_strictly, each.values)
        for each in inputs
    ]
    for line, cells in records:
        _check_width(line, cells, inputs)
        lines.append(line)
        try:
            for part, read, values in parts:
                values.extend(map(read, cells[part]))
        except (ValueError, OverflowError, KeyError):
            raise _misread(line, cells, inputs) from None
    return lines


def _check_width(line: int, cells: list[str], inputs: list[_Input]) -> None:
    width = inputs[-1].end
    if len(cells) == width:
        return
    if len(inputs) > 1:
        raise MalformedRequest(reason=f"Line {line} has {_columns(cells)}, the header {width}.")
    spec = inputs[0].spec
    raise InvalidTensor(
        tensor=spec.name,
        reason=f"line {line} has {_columns(cells)}; the model wants {width:,}, as its shape is "
        f"{list(spec.shape)} (-1: any size).",
    )


def _columns(cells: list[str]) -> str:
    return "1 column" if len(cells) == 1 else f"{len(cells):,} columns"


def _misread(line: int, cells: list[str], inputs: list[_Input]) -> InvalidTensor:
    """Say which cell of a line is not what its input wants."""
    spec, kind, column = next(
        (each.spec, each.kind, column)
        for each in inputs
        for column in range(each.first, each.end)
        if not each.kind.reads(cells[column])
    )
    cell = cells[column]
    came = f"{cell[:_SHOWN_LETTERS]!r} is not {kind.wanted}" if cell.strip() else "the cell is empty"
    hint = " If it is a header, send text/csv; header=present." if line == 1 else ""
    return InvalidTensor(
        tensor=spec.name, reason=f"line {line}, column {column + 1}: {came} ({spec.datatype}).{hint}"
    )


def _array(each: _Input, lines: "array[int]") -> Array:
    """Turn an input's values into its array; a refusal names the line of the value."""
    spec, width = each.spec, each.end - each.first
    dtype: np.dtype[Any] = NUMPY_OF[spec.datatype]
    if dtype.kind == "O":
        values = np.array(each.values, dtype)
    else:
        read = np.frombuffer(each.values, np.bool_ if dtype.kind == "b" else each.values.typecode)
        with np.errstate(over="ignore"):
            values = read.astype(dtype, copy=False)
        bad = ~np.isfinite(values) if dtype.kind == "f" else values != read
        if spec.nullable:
            bad &= ~np.isnan(read)
        if bad.any():
            row, cell = divmod(int(bad.argmax()), width)
            wanted = (
                f"a finite number that {spec.datatype} holds" if dtype.kind == "f" else f"of {spec.datatype}"
            )
            raise InvalidTensor(
                tensor=spec.name,
                reason=f"line {lines[row]}, column {each.first + cell + 1}: "
                f"{read[row * width + cell]} is not {wanted}.",
            )
    if not spec.shape and len(lines) == 1:
        return values.reshape(())
    row_shape = tuple(width if size == DYNAMIC else size for size in spec.shape[1:])
    return values.reshape(len(lines), *row_shape)
