"""Parquet: split by its footer into row groups, each of which is fetched, decoded and forgotten.

Columns are the model's as those of CSV are: a model with one input takes them from left to right, or one
column of lists; a model with several takes them by name.
"""

import os
from collections.abc import Iterable, Iterator
from importlib import import_module
from math import prod
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import msgspec
import numpy as np

from lampyris.batch.blocks import read_blocks
from lampyris.batch.parquet_footer import Footer, RowGroup, read_footer
from lampyris.batch.plan import Piece
from lampyris.batch.room import Room
from lampyris.batch.rows import Chunk, decode_rows
from lampyris.domain.signature import DYNAMIC, Signature, TensorSpec
from lampyris.domain.store import Entry, Store
from lampyris.domain.tensors import NUMPY_OF, Array
from lampyris.errors import InvalidInput, InvalidTensor
from lampyris.http.predictions.rows import stack

_BATCH_ROWS = 8192
# By numpy's kind: the kinds of columns that are taken for it.
_TAKEN = {"f": "fiu", "i": "iu", "u": "iu", "b": "b", "O": "OUT"}


class _Column(msgspec.Struct, frozen=True, kw_only=True):
    """A column of some rows: values with what is missing among them, or rows as Python's lists."""

    values: "Array | None" = None
    missing: "Array | None" = None
    rows: list[Any] = []


def split_parquet(store: Store, found: Entry, room: Room, *, after: int) -> Iterator[Piece]:
    """Yield stretches of rows from row `after` on: whole row groups, unless those are very large.

    Raises: InvalidInput if it is no Parquet file.
    """
    first = 0
    for group in read_footer(store, found, found.size_bytes).row_groups:
        end = first + group.rows
        row = max(first, after)
        while row < end:
            # A piece costs the decoding of its row group up to its end: dividing that is worth little.
            count = min(room.rows, end - row) if room.rows * 2 < group.rows else end - row
            yield Piece(key=found.key, etag=found.etag, start=row, end=row + count, rows=count)
            row += count
        first = end


def read_parquet(
    store: Store, piece: Piece, signature: Signature, *, first_row: int, batch_size: int
) -> Iterator[Chunk]:
    """Yield the rows of a piece, some batches at a time. Raises: InputChanged, InvalidInput."""
    try:
        open_parquet = import_module("arro3.io").read_parquet  # 34 MB that other formats do without
    except ImportError:
        raise InvalidInput(
            reason="This deployment cannot read Parquet: its batch function is packaged without arro3-io. "
            "Give the rows as CSV, NDJSON or .npy."
        ) from None
    footer = read_footer(store, piece, store.head(piece.key).size_bytes)
    step = max(1, _BATCH_ROWS // batch_size) * batch_size
    first = read = 0
    for group in footer.row_groups:
        start, end = max(piece.start, first), min(piece.end, first + group.rows)
        if start < end:
            with TemporaryDirectory(prefix="lampyris-batch-") as folder:
                path = _fetched(store, piece, footer, group, Path(folder))
                for batch in _between(open_parquet(path, batch_size=step), start - first, end - first):
                    yield _chunk(batch, signature, first_row + read)
                    read += batch.num_rows
        first += group.rows
    if read != piece.rows:
        raise InvalidInput(
            reason=f"{piece.key!r} is damaged: its footer promises {piece.rows:,} rows where {read:,} are."
        )


def _between(batches: Iterable[Any], start: int, end: int) -> Iterator[Any]:
    """Yield the rows of batches from `start` to `end`."""
    first = 0
    for batch in batches:
        begin, stop = max(start - first, 0), min(end - first, batch.num_rows)
        if begin < stop:
            yield batch.slice(begin, stop - begin)
        first += batch.num_rows
        if first >= end:
            return


def _fetched(store: Store, piece: Piece, footer: Footer, group: RowGroup, folder: Path) -> Path:
    """Write a file that has the one row group, at its place, and holes where the others are."""
    path = folder / "rows.parquet"
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        at = group.start
        for block in read_blocks(store, piece, group.start, group.end):
            os.pwrite(file, block, at)
            at += len(block)
        os.pwrite(file, footer.with_only(group), footer.start)
    finally:
        os.close(file)
    return path


def _chunk(batch: Any, signature: Signature, first_row: int) -> Chunk:
    columns = {name: _column(batch.column(name)) for name in batch.schema.names}
    _check_columns(signature, columns)

    def decode(start: int, end: int) -> dict[str, Array]:
        if len(signature.inputs) == 1:
            (spec,) = signature.inputs
            return {spec.name: _side_by_side(spec, columns, start, end)}
        return {
            spec.name: _cells(spec, spec.name, columns[spec.name], start, end).reshape(
                -1, *[1] * (len(spec.shape) - 1)
            )
            for spec in signature.inputs
        }

    return decode_rows(decode, batch.num_rows, signature, first_row=first_row)


def _check_columns(signature: Signature, columns: dict[str, _Column]) -> None:
    """Raises: InvalidInput if the columns are not those of the model, in any row."""
    if len(signature.inputs) != 1:
        absent = [spec.name for spec in signature.inputs if spec.name not in columns]
        if absent:
            raise InvalidInput(reason=f"The input has no column {absent[0]!r}; it has {', '.join(columns)}.")
        return
    (spec,) = signature.inputs
    row_shape = spec.shape[1:]
    if _only_list(columns) is None and (row_shape != (DYNAMIC,)) and prod(row_shape) != len(columns):
        raise InvalidInput(
            reason=f"The input has {len(columns):,} columns; the model wants {prod(row_shape):,}, as its "
            f"shape is {list(spec.shape)} (-1: any size), or one column of lists."
        )


def _only_list(columns: dict[str, _Column]) -> list[Any] | None:
    """Return the rows of an input whose only column has lists."""
    (first, *others) = columns.values()
    return first.rows if not others and first.values is None else None


def _side_by_side(spec: TensorSpec, columns: dict[str, _Column], start: int, end: int) -> Array:
    rows = _only_list(columns)
    if rows is not None:
        return stack(spec, rows[start:end], lambda _: "the row")
    cells = [_cells(spec, name, column, start, end) for name, column in columns.items()]
    row_shape = (len(cells),) if DYNAMIC in spec.shape[1:] else spec.shape[1:]
    return np.stack(cells, axis=1).reshape(end - start, *row_shape)


def _cells(spec: TensorSpec, name: str, column: _Column, start: int, end: int) -> Array:
    """Return some cells of a column in the input's dtype. Raises: InvalidTensor naming the column."""
    if column.values is None:
        raise InvalidTensor(
            tensor=spec.name, reason=f"column {name!r} holds lists; {spec.datatype} is wanted."
        )
    values, dtype = column.values[start:end], NUMPY_OF[spec.datatype]
    missing = None if column.missing is None else column.missing[start:end]
    if missing is not None and missing.any() and not spec.nullable:
        raise InvalidTensor(tensor=spec.name, reason=f"column {name!r}: the cell is empty ({spec.datatype}).")
    if values.dtype.kind not in _TAKEN[dtype.kind] and not (missing is not None and missing.all()):
        raise InvalidTensor(
            tensor=spec.name, reason=f"column {name!r} holds {values.dtype}; {spec.datatype} is wanted."
        )
    if dtype.kind == "O":
        texts = values.astype(object)
        return texts if missing is None else np.where(missing, "", texts).astype(object)
    with np.errstate(over="ignore", invalid="ignore"):
        cast = values.astype(dtype)
    if missing is not None and dtype.kind == "f":
        cast[missing] = np.nan
    is_bad = ~np.isfinite(cast) if dtype.kind == "f" else cast != values
    if spec.nullable and dtype.kind == "f":
        is_bad &= ~np.isnan(cast)
    if is_bad.any():
        raise InvalidTensor(
            tensor=spec.name,
            reason=f"column {name!r}: {values[int(is_bad.argmax())]} is no finite {spec.datatype}.",
        )
    return cast


def _column(array: Any) -> _Column:
    """Turn a column of Arrow's into numpy's where it can be, and into lists where it cannot."""
    if not array.null_count and not _is_nested(array):
        return _Column(values=array.to_numpy())
    rows = array.to_pylist()
    if _is_nested(array):
        return _Column(rows=rows)
    filler = next((value for value in rows if value is not None), 0.0)
    missing = np.array([value is None for value in rows], np.bool_)
    return _Column(values=np.array([filler if value is None else value for value in rows]), missing=missing)


def _is_nested(array: Any) -> bool:
    return bool(array.type.is_nested(array.type))
