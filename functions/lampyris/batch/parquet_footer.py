"""The footer of a Parquet file, which says where its row groups stand; and one that lists a single of them.

Source: parquet.thrift (FileMetaData, RowGroup, ColumnChunk, ColumnMetaData), and Thrift's compact protocol.
"""

import struct
from collections.abc import Iterator
from typing import Any

import msgspec

from lampyris.batch.blocks import fetch
from lampyris.batch.plan import Piece
from lampyris.domain.store import Entry, Store
from lampyris.errors import InvalidInput

_MAGIC = b"PAR1"
_TAIL_BYTES = 8
# Thrift's types, as the compact protocol numbers them.
_TRUE, _FALSE, _BYTE, _DOUBLE, _BINARY, _LIST, _SET, _MAP, _STRUCT = 1, 2, 3, 7, 8, 9, 10, 11, 12
_MANY = 15
_DEEPEST = 32
# Parquet's fields.
_ROW_GROUPS = 4
_COLUMNS, _NUM_ROWS = 1, 3
_META_DATA = 3
_COMPRESSED_SIZE, _DATA_PAGE, _DICTIONARY_PAGE = 7, 9, 11


class RowGroup(msgspec.Struct, frozen=True, kw_only=True):
    """A row group: its rows, the bytes of the file that hold it, and what the footer says of it."""

    rows: int
    start: int
    end: int
    told: bytes


class Footer(msgspec.Struct, frozen=True, kw_only=True):
    """A footer, around its list of row groups; `start` is where it begins in the file."""

    start: int
    before: bytes
    after: bytes
    row_groups: tuple[RowGroup, ...]

    def with_only(self, group: RowGroup) -> bytes:
        """Return the end of a file that has one of the row groups alone."""
        one = bytes([1 << 4 | _STRUCT])
        footer = self.before + one + group.told + self.after
        return footer + struct.pack("<I", len(footer)) + _MAGIC


def read_footer(store: Store, source: Entry | Piece, size_bytes: int) -> Footer:
    """Raises: InvalidInput if it is no Parquet file, or a damaged one; ObjectNotFound, InputChanged."""
    key = source.key
    tail = bytes(fetch(store, source, max(0, size_bytes - _TAIL_BYTES), _TAIL_BYTES)) if size_bytes else b""
    if len(tail) < _TAIL_BYTES or tail[4:] != _MAGIC:
        raise InvalidInput(reason=f"{key!r} is not a Parquet file, or is cut short, or encrypted.")
    length = int.from_bytes(tail[:4], "little")
    start = size_bytes - _TAIL_BYTES - length
    if start < len(_MAGIC) or not length:
        raise InvalidInput(reason=f"{key!r} is cut short: its footer is not where it says.")
    told = bytes(fetch(store, source, start, length))
    try:
        return _footer(told, start)
    except (IndexError, struct.error, ValueError, KeyError, TypeError):
        raise InvalidInput(reason=f"The footer of {key!r} is damaged.") from None


def _footer(told: bytes, start: int) -> Footer:
    reader = _Reader(told)
    before = after = 0
    groups: list[RowGroup] = []
    for field, kind in reader.fields():
        if field != _ROW_GROUPS:
            reader.value(kind)
            continue
        before = reader.at
        for element in reader.elements():
            begun = reader.at
            group = reader.value(element)
            groups.append(_row_group(group, told[begun : reader.at], start))
        after = reader.at
    if not after:
        raise ValueError("no list of row groups")
    return Footer(start=start, before=told[:before], after=told[after:], row_groups=tuple(groups))


def _row_group(group: dict[int, Any], told: bytes, limit: int) -> RowGroup:
    starts, ends = [], []
    for column in group[_COLUMNS]:
        data = column[_META_DATA]
        first = min(data[_DATA_PAGE], data.get(_DICTIONARY_PAGE) or data[_DATA_PAGE])
        starts.append(first)
        ends.append(first + data[_COMPRESSED_SIZE])
    if group[_NUM_ROWS] < 0 or min(starts) < 0 or max(ends) > limit:
        raise ValueError("a row group outside of its file")
    return RowGroup(rows=group[_NUM_ROWS], start=min(starts), end=max(ends), told=told)


class _Reader:
    """Reads Thrift's compact protocol; structs become dictionaries by the numbers of their fields."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._depth = 0
        self.at = 0

    def fields(self) -> Iterator[tuple[int, int]]:
        """Yield a struct's fields and their types; who takes one reads its value, too."""
        field = 0
        while (head := self._byte()) != 0:
            field = field + (head >> 4) if head >> 4 else self._zigzag()
            yield field, head & 0xF

    def elements(self) -> Iterator[int]:
        """Yield the type of each element of a list; who takes one reads its value, too."""
        head = self._byte()
        count = head >> 4
        if count == _MANY:
            count = self._varint()
        for _ in range(count):
            yield head & 0xF

    def value(self, kind: int, *, in_list: bool = False) -> Any:
        if kind in {_TRUE, _FALSE}:
            return self._byte() == _TRUE if in_list else kind == _TRUE
        if kind == _BYTE:
            return self._byte()
        if kind == _DOUBLE:
            return struct.unpack("<d", self._bytes(8))[0]
        if kind == _BINARY:
            return self._bytes(self._varint())
        if kind in {_LIST, _SET, _STRUCT}:
            self._depth += 1
            if self._depth > _DEEPEST:
                raise ValueError("nested too deeply")
            found: Any
            if kind == _STRUCT:
                found = {field: self.value(its) for field, its in self.fields()}
            else:
                found = [self.value(its, in_list=True) for its in self.elements()]
            self._depth -= 1
            return found
        if kind == _MAP or not _BYTE < kind < _DOUBLE:
            raise ValueError("not a type that Parquet has")
        return self._zigzag()

    def _byte(self) -> int:
        self.at += 1
        return self._data[self.at - 1]

    def _bytes(self, count: int) -> bytes:
        self.at += count
        if self.at > len(self._data):
            raise IndexError
        return self._data[self.at - count : self.at]

    def _varint(self) -> int:
        value = shift = 0
        while (byte := self._byte()) & 0x80:
            value |= (byte & 0x7F) << shift
            shift += 7
        return value | byte << shift

    def _zigzag(self) -> int:
        value = self._varint()
        return (value >> 1) ^ -(value & 1)
