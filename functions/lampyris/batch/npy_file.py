"""numpy's files: a row is so many bytes, so any of them is found without reading the others."""

import math
from collections.abc import Iterator
from io import BytesIO

import msgspec
import numpy as np
from numpy.lib import format as npy

from lampyris.batch.ahead import ahead
from lampyris.batch.blocks import BLOCK_BYTES, fetch
from lampyris.batch.plan import Piece
from lampyris.batch.room import Room
from lampyris.batch.rows import Chunk, decode_rows
from lampyris.domain.signature import Signature
from lampyris.domain.store import Entry, Store
from lampyris.domain.tensors import NUMPY_OF, Array, check_inputs
from lampyris.errors import InvalidInput, InvalidRequest, MalformedRequest
from lampyris.http.predictions.npy import read_header, read_npy
from lampyris.http.predictions.rows import only_input

_HEAD_BYTES = 64 * 2**10


class _Layout(msgspec.Struct, frozen=True, kw_only=True):
    """How an array lies in its file: where the rows begin, and what a row is."""

    start: int
    rows: int
    row_shape: tuple[int, ...]
    dtype: "np.dtype[np.generic]"

    @property
    def row_bytes(self) -> int:
        return math.prod(self.row_shape) * self.dtype.itemsize


def split_npy(store: Store, found: Entry, room: Room, *, after: int, signature: Signature) -> Iterator[Piece]:
    """Yield stretches of rows from byte `after` on.

    Raises: InvalidInput if it is no such file, none whose rows stand one behind the other, or none for this
        model.
    """
    only_input(signature, "a .npy file holds one array; give CSV or NDJSON with names")
    layout, key = _layout(store, found), found.key
    wanted_bytes = layout.start + layout.rows * layout.row_bytes
    if wanted_bytes != found.size_bytes:
        raise InvalidInput(
            reason=f"{key!r} has {found.size_bytes:,} bytes; its header promises {wanted_bytes:,}."
        )
    if not layout.row_bytes:
        raise InvalidInput(
            reason=f"The rows of {key!r} hold no values: their shape is {list(layout.row_shape)}."
        )
    _check_rows(layout, key, signature)
    row = max(0, after - layout.start) // layout.row_bytes
    while row < layout.rows:
        count = min(room.rows_of(layout.row_bytes), layout.rows - row)
        start = layout.start + row * layout.row_bytes
        end = start + count * layout.row_bytes
        yield Piece(key=key, etag=found.etag, start=start, end=end, rows=count)
        row += count


def read_npy_rows(
    store: Store, piece: Piece, signature: Signature, *, first_row: int, batch_size: int
) -> Iterator[Chunk]:
    """Yield the rows of a piece, some batches at a time; where the dtype is the model's, without a copy.

    Raises: ObjectNotFound, InputChanged.
    """
    (spec,) = signature.inputs
    layout = _layout(store, piece)
    is_as_wanted = layout.dtype == NUMPY_OF[spec.datatype] and spec.datatype != "BOOL"
    step = max(1, BLOCK_BYTES // (layout.row_bytes * batch_size)) * batch_size
    reads = (
        (first, _fetch(store, piece, layout, first, min(step, piece.rows - first)))
        for first in range(0, piece.rows, step)
    )
    for first, values in ahead(reads):

        def decode(start: int, end: int, values: Array = values) -> dict[str, Array]:
            part = values[start:end]
            if is_as_wanted:
                return {spec.name: part}
            file = BytesIO()
            npy.write_array(file, part, allow_pickle=False)
            return read_npy(file.getvalue(), signature)

        yield decode_rows(decode, len(values), signature, first_row=first_row + first)


def _fetch(store: Store, piece: Piece, layout: _Layout, first: int, count: int) -> Array:
    start, length = piece.start + first * layout.row_bytes, count * layout.row_bytes
    data = fetch(store, piece, start, length)
    values: Array = np.frombuffer(data, layout.dtype).reshape(count, *layout.row_shape)
    return values


def _check_rows(layout: _Layout, key: str, signature: Signature) -> None:
    """Find out before any row is read that no row of such a shape or dtype can be predicted."""
    row = BytesIO()
    npy.write_array(row, np.zeros((1, *layout.row_shape), layout.dtype), allow_pickle=False)
    try:
        check_inputs(signature, read_npy(row.getvalue(), signature))
    except InvalidRequest as error:
        raise InvalidInput(reason=f"The rows of {key!r} do not fit the model. {error}") from None


def _layout(store: Store, source: Entry | Piece) -> _Layout:
    key, head = source.key, bytes(fetch(store, source, 0, _HEAD_BYTES))
    try:
        shape, fortran_order, dtype, start = read_header(head)
    except MalformedRequest as error:
        raise InvalidInput(reason=f"{key!r} cannot be read. {error}") from None
    if dtype.hasobject or dtype.kind not in "biufU":
        raise InvalidInput(
            reason=f"{key!r} holds {dtype}, of which nothing is read; save numbers or strings."
        )
    if not shape or (fortran_order and len(shape) > 1):
        what = "one value" if not shape else "its columns one behind the other"
        raise InvalidInput(reason=f"{key!r} holds {what}; save rows: np.ascontiguousarray(array).")
    return _Layout(start=start, rows=shape[0], row_shape=shape[1:], dtype=dtype)
