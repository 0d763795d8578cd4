"""Where rows of a text begin and end, however it is cut into blocks and shards."""

import csv
import io
import json
from typing import Any

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from lampyris.adapters.object_store import memory_store
from lampyris.batch.plan import Piece, Shard
from lampyris.batch.records import ROW_LIMIT_BYTES, Find, find_csv_records, find_lines, in_blocks
from lampyris.batch.room import Room, shards_of
from lampyris.batch.text import read_text, split_csv, split_ndjson
from lampyris.domain.signature import Signature, TensorSpec
from lampyris.errors import InvalidInput

KEY = "data/in"
WORDS = Signature(
    inputs=(TensorSpec(name="words", datatype="BYTES", shape=(-1, 2)),),
    outputs=(TensorSpec(name="p", datatype="FP32", shape=(-1, 1)),),
)
cells = st.text(alphabet=st.sampled_from('ab,"\n\r é€\U0001f600;\t'), max_size=6)
sizes = st.integers(1, 40)


def found_in(text: bytes, find: Find, size: int) -> list[bytes]:
    """Find records in a text that comes in blocks of a size."""
    blocks = (text[at : at + size] for at in range(0, len(text), size))
    return [
        block[start:end]
        for _, block, found in in_blocks(blocks, find, 0)
        for start, end in zip(found.starts.tolist(), found.ends.tolist(), strict=True)
    ]


@settings(deadline=None)
@given(st.text(alphabet='a,"\n\r ', max_size=60), sizes)
@example('a"b\n"c\n"', 1)
@example('"a\n\n', 2)
def test_records_do_not_depend_on_blocks_and_are_what_the_reader_of_csv_reads(text: str, size: int) -> None:
    data = text.encode()

    found = found_in(data, find_csv_records, size)

    assert found == found_in(data, find_csv_records, 1000)
    try:
        rows = [row for row in csv.reader(io.StringIO(text, newline=""), strict=True) if row]
    except csv.Error:
        return
    assert [next(csv.reader([one.decode()])) for one in found if one[:1] != b'"' and b'"' not in one] == [
        row for row, one in zip(rows, found, strict=True) if one[:1] != b'"' and b'"' not in one
    ]
    assert [next(csv.reader(io.StringIO(one.decode(), newline=""), strict=True)) for one in found] == rows


@settings(deadline=None)
@given(st.lists(st.text(alphabet="a \t\r\x0b", max_size=5), max_size=12), st.booleans(), sizes)
def test_lines_do_not_depend_on_blocks(lines: list[str], ends: bool, size: int) -> None:  # noqa: FBT001 - drawn
    data = ("\n".join(lines) + ("\n" if ends else "")).encode()

    found = found_in(data, find_lines, size)

    assert found == [line for line in data.split(b"\n") if line.strip()]


def shards_in(data: bytes, limits: Any, *, is_csv: bool) -> list[Shard]:
    store = memory_store()
    store.put(KEY, data)

    def split(room: Room) -> Any:
        if is_csv:
            return split_csv(store, store.head(KEY), room, after=0, signature=WORDS)
        return split_ndjson(store, store.head(KEY), room, after=0)

    return list(shards_of(split, limits, shards=0, rows=0))


def rows_of(data: bytes, shards: list[Shard], *, is_csv: bool) -> list[Any]:
    store = memory_store()
    store.put(KEY, data)
    return [
        row
        for shard in shards
        for piece in shard.pieces
        for chunk in read_text(store, piece, WORDS, first_row=shard.first_row, batch_size=3, is_csv=is_csv)
        for rows in chunk.rows
        for row in rows.inputs["words"].tolist()
    ]


@settings(deadline=None, max_examples=60)
@given(
    st.lists(st.tuples(cells, cells), max_size=15),
    st.sampled_from([("\r\n", csv.QUOTE_MINIMAL), *((end, csv.QUOTE_ALL) for end in ("\n", "\r\n", "\r"))]),
    st.booleans(),
    st.booleans(),
    st.integers(1, 5),
    st.integers(1, 30),
)
def test_rows_of_all_shards_are_the_rows_of_a_csv(
    table: list[tuple[str, str]],
    dialect: tuple[str, Any],
    ends: bool,  # noqa: FBT001 - drawn
    marked: bool,  # noqa: FBT001 - drawn
    rows: int,
    size_bytes: int,
) -> None:
    line_end, quoting = dialect
    file = io.StringIO(newline="")
    csv.writer(file, lineterminator=line_end, quoting=quoting).writerows(table)
    text = file.getvalue() if ends else file.getvalue().removesuffix(line_end)
    data = (b"\xef\xbb\xbf" if marked else b"") + text.encode()

    shards = shards_in(data, lambda _: (rows, size_bytes), is_csv=True)

    assert rows_of(data, shards, is_csv=True) == [list(row) for row in table]
    assert all(shard.rows <= rows for shard in shards)
    assert [shard.first_row for shard in shards] == [
        1 + sum(one.rows for one in shards[:number]) for number in range(len(shards))
    ]


@settings(deadline=None, max_examples=60)
@given(
    st.lists(st.tuples(cells, cells), max_size=15),
    st.sampled_from(["\n", "\r\n", "\n\n", "\n \n"]),
    st.booleans(),
    st.integers(1, 5),
    st.integers(1, 60),
)
def test_rows_of_all_shards_are_the_lines_of_ndjson(
    table: list[tuple[str, str]],
    line_end: str,
    ends: bool,  # noqa: FBT001 - drawn
    rows: int,
    size_bytes: int,
) -> None:
    text = line_end.join(json.dumps(row, ensure_ascii=False) for row in table) + (line_end if ends else "")
    data = text.encode()

    shards = shards_in(data, lambda _: (rows, size_bytes), is_csv=False)

    assert rows_of(data, shards, is_csv=False) == [list(row) for row in table]


def test_quote_that_nobody_closes_costs_its_own_row_alone() -> None:
    data = b'a,b\n"c,d\ne,f\n'

    shards = shards_in(data, lambda _: (10, 1000), is_csv=True)

    assert rows_of(data, shards, is_csv=True) == [["a", "b"], ["e", "f"]]
    assert shards[0].rows == 3


def test_quote_that_would_take_more_than_a_row_may_have_costs_its_own_row() -> None:
    line = b"b" * 10_000 + b",c\n"
    data = b'"a\n' + line * (ROW_LIMIT_BYTES // len(line) + 2) + b'd",e\n'

    whole = found_in(data, find_csv_records, len(data))

    assert whole == found_in(data, find_csv_records, 3_000_000) == data.splitlines()


def test_line_that_no_row_can_be_is_refused() -> None:
    with pytest.raises(InvalidInput, match="begins at byte 2"):
        found_in(b"a\n" + b"b" * (ROW_LIMIT_BYTES + 5_000_000), find_lines, 4_000_000)


def test_piece_survives_being_written_down() -> None:
    piece = Piece(key=KEY, etag="1", start=3, end=9, rows=2, header="a,b")

    assert msgspec.json.decode(msgspec.json.encode(piece), type=Piece) == piece
