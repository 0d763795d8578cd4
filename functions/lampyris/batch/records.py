"""Where the rows of a text stand: its lines, or the records of CSV, whose quoted cells may hold line ends.

What a record is, is what Python's csv module says; a row that has no end is bad alone, not the rest with it.
"""

import re
from collections.abc import Callable, Iterator

import msgspec
import numpy as np

from lampyris.domain.tensors import Array
from lampyris.errors import InvalidInput

# A row may have as many bytes. A quote that nobody closes would take all that comes after it otherwise.
ROW_LIMIT_BYTES = 16 * 2**20

_QUOTED = rb'"[^"]*+(?:""[^"]*+)*+"[^,\r\n]*+'
_CELL = rb"(?>" + _QUOTED + rb'|[^",\r\n][^,\r\n]*+|)'
_RECORD = re.compile(_CELL + rb"(?:," + _CELL + rb")*+")
_LINE_END = re.compile(rb"[\r\n]")
_QUOTE, _NEWLINE, _RETURN = b'"', ord("\n"), ord("\r")
_BLANKS = np.zeros(256, np.bool_)
_BLANKS[list(b" \t\r\x0b\x0c")] = True


class Records(msgspec.Struct, frozen=True, kw_only=True):
    """The whole records in a block that are not blank, without their line ends.

    Shapes: `starts` and `ends` (N,). What stands from `used` on belongs to a record that goes on.
    """

    starts: Array
    ends: Array
    used: int


# Finds the records in a block of text; whether it is the last says that what ends it ends a record.
Find = Callable[[bytes, bool], Records]


def find_lines(block: bytes, is_last: bool) -> Records:  # noqa: FBT001 - as `Find` has it
    """Find lines, as NDJSON has them; those of white space alone are blank."""
    letters = np.frombuffer(block, np.uint8)
    found = _between(letters == _NEWLINE, len(block), is_last=is_last)
    suspects = np.flatnonzero(_BLANKS[letters[found.starts]])
    blank = [
        place for place in suspects.tolist() if not block[found.starts[place] : found.ends[place]].strip()
    ]
    if not blank:
        return found
    return Records(starts=np.delete(found.starts, blank), ends=np.delete(found.ends, blank), used=found.used)


def find_csv_records(block: bytes, is_last: bool) -> Records:  # noqa: FBT001 - as `Find` has it
    """Find records of CSV. Raises: InvalidInput for a line that no row can be."""
    if _QUOTE not in block:
        letters = np.frombuffer(block, np.uint8)
        ends_line = letters == _NEWLINE
        if b"\r" in block:
            ends_line |= letters == _RETURN  # between the two of \r\n stands a blank record
        return _between(ends_line, len(block), is_last=is_last)
    starts: list[int] = []
    ends: list[int] = []
    at, size = 0, len(block)
    while at < size:
        match = _RECORD.match(block, at)
        assert match is not None  # it matches nothing at all as well
        end = match.end()
        is_whole = (end < size and block[end] in b"\r\n") or (end == size and is_last)
        if not is_whole or end - at > ROW_LIMIT_BYTES:
            if not is_last and not is_whole and size - at <= ROW_LIMIT_BYTES:
                break
            # A quote that nobody closes: its line is a row, which the reader refuses.
            line_end = _LINE_END.search(block, at)
            end = size if line_end is None else line_end.start()
        if end > at:
            starts.append(at)
            ends.append(end)
        at = end + 1
    return Records(starts=np.array(starts, np.int64), ends=np.array(ends, np.int64), used=min(at, size))


def _between(is_end: Array, size: int, *, is_last: bool) -> Records:
    """Return what stands between line ends and is not empty."""
    ends = np.flatnonzero(is_end)
    used = int(ends[-1]) + 1 if len(ends) else 0
    starts = np.concatenate([np.zeros(1, np.int64), ends + 1])
    ends = np.append(ends, size)
    if not is_last:
        starts, ends = starts[:-1], ends[:-1]
    elif size:
        used = size
    filled = ends > starts
    return Records(starts=starts[filled], ends=ends[filled], used=used)


def in_blocks(blocks: Iterator[bytes], find: Find, start: int) -> Iterator[tuple[int, bytes, Records]]:
    """Yield blocks of whole records, with their place in the object, whose first byte stands at `start`.

    Raises: InvalidInput if a row is longer than any may be.
    """
    rest = b""
    block = next(blocks, None)
    while block is not None:
        following = next(blocks, None)
        text = rest + block
        found = find(text, following is None)
        if len(text) - found.used > ROW_LIMIT_BYTES:
            raise InvalidInput(
                reason=f"The row that begins at byte {start + found.used:,} has more than "
                f"{ROW_LIMIT_BYTES:,} bytes; no row may have more."
            )
        if len(found.starts):
            yield start, text, found
        start += found.used
        rest, block = text[found.used :], following
