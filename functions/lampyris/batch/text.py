"""CSV and NDJSON: split at the ends of rows, and read as `/models/{model}/predict` reads them."""

import csv
from collections.abc import Iterator
from io import StringIO

from lampyris.batch.blocks import BLOCK_BYTES, fetch, read_blocks
from lampyris.batch.plain_numbers import read_plain_numbers
from lampyris.batch.plan import Piece
from lampyris.batch.records import Find, find_csv_records, find_lines, in_blocks
from lampyris.batch.room import Room
from lampyris.batch.rows import Chunk, decode_rows
from lampyris.domain.signature import Signature
from lampyris.domain.store import Entry, Store
from lampyris.domain.tensors import Array
from lampyris.errors import InvalidInput, LampyrisError
from lampyris.http.predictions.csv_rows import begins_with_header, read_csv
from lampyris.http.predictions.media_types import CSV, Content
from lampyris.http.predictions.ndjson import read_ndjson

_MARK = b"\xef\xbb\xbf"  # UTF-8's, that some programs put first
# How much text is decoded at once; several batches of the model, or one.
_CHUNK_BYTES = 2**20


def split_ndjson(store: Store, found: Entry, room: Room, after: int) -> Iterator[Piece]:
    """Yield stretches of whole lines from byte `after` on, none larger than `room` has left."""
    return _split(store, found, room, start=after, find=find_lines, header="")


def split_csv(store: Store, found: Entry, room: Room, *, after: int, signature: Signature) -> Iterator[Piece]:
    """Yield stretches of whole records from byte `after` on; the header is none of them.

    Raises: InvalidInput if the header is not one for this model.
    """
    header, start = _header(store, found, signature)
    yield from _split(store, found, room, start=max(start, after), find=find_csv_records, header=header)


def read_text(
    store: Store, piece: Piece, signature: Signature, *, first_row: int, batch_size: int, is_csv: bool
) -> Iterator[Chunk]:
    """Yield the rows of a piece, some batches at a time. Raises: ObjectNotFound, InputChanged."""
    find = find_csv_records if is_csv else find_lines
    blocks = read_blocks(store, piece, piece.start, piece.end)
    for _, text, found in in_blocks(blocks, find, piece.start):
        rows = len(found.starts)
        row_bytes = len(text) / rows
        step = max(1, int(_CHUNK_BYTES / row_bytes / batch_size)) * batch_size
        for first in range(0, rows, step):
            count = min(step, rows - first)
            starts, ends = found.starts[first : first + count], found.ends[first : first + count]

            def decode(
                start: int, end: int, text: bytes = text, starts: Array = starts, ends: Array = ends
            ) -> dict[str, Array]:
                body = text[starts[start] : ends[end - 1]]
                if not is_csv:
                    return read_ndjson(body, signature)
                plain = None if piece.header else read_plain_numbers(body, end - start, signature)
                return plain or _read_records(body, piece.header, signature)

            yield decode_rows(decode, count, signature, first_row=first_row)
            first_row += count


def _read_records(body: bytes, header: str, signature: Signature) -> dict[str, Array]:
    # A blank line in front: what looks like a mark, or like a header, in the middle of a file is neither.
    said = "present" if header else "absent"
    content = Content(media_type=CSV, parameters={"header": said}, body=header.encode() + b"\n" + body)
    return read_csv(content, signature)


def _split(store: Store, found: Entry, room: Room, *, start: int, find: Find, header: str) -> Iterator[Piece]:
    blocks = read_blocks(store, found, start, found.size_bytes)
    for place, _, records in in_blocks(blocks, find, start):
        starts, ends = records.starts, records.ends
        first, rows = 0, len(starts)
        while first < rows:
            fitting = int(ends.searchsorted(starts[first] + room.size_bytes, side="right"))
            last = min(max(fitting, first + 1), first + max(room.rows, 1), rows)
            yield Piece(
                key=found.key,
                etag=found.etag,
                start=place + int(starts[first]),
                end=place + int(ends[last - 1]),
                rows=last - first,
                header=header,
            )
            first = last


def _header(store: Store, found: Entry, signature: Signature) -> tuple[str, int]:
    """Return the line that names the columns, if names are needed, and where the rows begin."""
    key, size_bytes = found.key, found.size_bytes
    head = bytes(fetch(store, found, 0, min(size_bytes, BLOCK_BYTES))) if size_bytes else b""
    start = len(_MARK) if head.startswith(_MARK) else 0
    is_last = len(head) == size_bytes
    records = find_csv_records(head[start:], is_last)
    if not len(records.starts):
        if is_last:
            return "", size_bytes
        raise InvalidInput(reason=f"The first row of {key!r} has more than {BLOCK_BYTES:,} bytes.")
    end = start + int(records.ends[0])
    try:
        text = head[start + int(records.starts[0]) : end].decode()
        cells = next(csv.reader(StringIO(text, newline=""), strict=True))
    except (UnicodeDecodeError, csv.Error):
        return "", start  # a row like any other, and a bad one
    content = Content(media_type=CSV, parameters={}, body=text.encode())
    if not begins_with_header(content, cells, signature):
        return "", start
    if len(signature.inputs) == 1:
        return "", end
    _check_names(key, text, signature)
    return text, end


def _check_names(key: str, header: str, signature: Signature) -> None:
    content = Content(media_type=CSV, parameters={}, body=header.encode() + b"\n")
    try:
        read_csv(content, signature)
    except LampyrisError as error:
        if "no rows below its header" not in str(error):
            raise InvalidInput(reason=f"The header of {key!r}: {error}") from None
