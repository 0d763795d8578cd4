"""Members of a zip in the store, found by its directory and read one by one; nothing is unpacked to disk.

Source: APPNOTE.TXT of PKWARE, 4.3.7 (local headers), 4.3.12 (directory), 4.3.14 to 4.3.16 (its end).
"""

import struct
import zlib
from collections.abc import Iterator

import msgspec

from lampyris.batch.blocks import fetch, read_blocks
from lampyris.batch.plan import Piece
from lampyris.domain.store import Entry, Store
from lampyris.errors import InvalidImage, InvalidInput

_END = struct.Struct("<4s4H2LH")
_END_64 = struct.Struct("<4sQ2H2L4Q")
_LOCATOR_64 = struct.Struct("<4sLQL")
_ENTRY = struct.Struct("<4s6H3L5H2L")
_LOCAL = struct.Struct("<4s5H3L2H")
_EXTRA = struct.Struct("<2H")
_SIZES_64 = 1
_LONGEST_COMMENT = 2**16
_IN_64 = 2**32 - 1
_STORED, _DEFLATED, _UTF_8, _ENCRYPTED = 0, 8, 1 << 11, 1
# What a local header may have in addition to the directory's.
_SLACK_BYTES = 1024


class Member(msgspec.Struct, frozen=True, kw_only=True):
    """A member: from its local header to (at least) the end of its data."""

    name: str
    start: int
    end: int
    is_deflated: bool


def list_members(store: Store, found: Entry) -> Iterator[Member]:
    """Yield members as the directory lists them, which is read block by block.

    Raises: InvalidInput if it is no zip, or one that cannot be read so.
    """
    start, length, count = _directory(store, found)
    key, rest = found.key, b""
    for block in read_blocks(store, found, start, start + length):
        text = rest + block
        at = 0
        while count and len(text) - at >= _ENTRY.size:
            fields = _ENTRY.unpack_from(text, at)
            if fields[0] != b"PK\x01\x02":
                raise InvalidInput(reason=f"The directory of {key!r} is damaged.")
            name_length, extra_length, comment_length = fields[10:13]
            end = at + _ENTRY.size + name_length + extra_length + comment_length
            if end > len(text):
                break
            name = text[at + _ENTRY.size : at + _ENTRY.size + name_length]
            extra = text[at + _ENTRY.size + name_length : end - comment_length]
            yield _member(key, fields, name, extra)
            at, count = end, count - 1
        rest = text[at:]
    if count:
        raise InvalidInput(reason=f"The directory of {key!r} ends too early.")


def read_member(store: Store, piece: Piece, *, limit_bytes: int) -> bytes:
    """Return what a member holds. Raises: InvalidImage if it is damaged, or is or unfolds to too much."""
    if piece.end - piece.start > limit_bytes:  # its neighbours must not suffer from one that fills the memory
        raise InvalidImage(reason=f"The file has more than {limit_bytes:,} bytes in its zip.")
    data = bytes(fetch(store, piece, piece.start, piece.end - piece.start))
    if len(data) < _LOCAL.size or data[:4] != b"PK\x03\x04":
        raise InvalidImage(reason="The zip is damaged where this file should be.")
    fields = _LOCAL.unpack_from(data)
    begin = _LOCAL.size + fields[9] + fields[10]
    # The directory's length for the packed data is what the piece was made from.
    packed_length = piece.end - piece.start - _LOCAL.size - len(piece.member.encode()) - _SLACK_BYTES
    if begin + packed_length > len(data):
        more = begin + packed_length - len(data)
        data += bytes(fetch(store, piece, piece.start + len(data), more))
    packed = data[begin : begin + packed_length]
    if not piece.is_deflated:
        return packed
    unpack = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        unpacked = unpack.decompress(packed, limit_bytes)
    except zlib.error as error:
        raise InvalidImage(reason=f"The file is damaged in its zip: {error}.") from None
    if unpack.unconsumed_tail:
        raise InvalidImage(reason=f"The file unfolds to more than {limit_bytes:,} bytes.")
    if not unpack.eof:
        raise InvalidImage(reason="The file is cut short in its zip.")
    return unpacked


def _member(key: str, fields: tuple[int, ...], name: bytes, extra: bytes) -> Member:
    flags, method, packed, unpacked, start = fields[3], fields[4], fields[8], fields[9], fields[16]
    if _IN_64 in {packed, unpacked, start}:
        packed, start = _sizes_64(extra, packed, unpacked, start)
    if flags & _ENCRYPTED or method not in {_STORED, _DEFLATED}:
        what = "encrypted" if flags & _ENCRYPTED else f"packed by method {method}"
        raise InvalidInput(reason=f"Members of {key!r} are {what}; deflate them, or only store them.")
    text = name.decode("utf-8" if flags & _UTF_8 else "cp437", "replace")
    end = start + _LOCAL.size + len(text.encode()) + packed + _SLACK_BYTES
    return Member(name=text, start=start, end=end, is_deflated=method == _DEFLATED)


def _sizes_64(extra: bytes, packed: int, unpacked: int, start: int) -> tuple[int, int]:
    """Return the packed size and the start, of which those that need 64 bits stand in the extra field."""
    at = 0
    while len(extra) - at >= _EXTRA.size:
        kind, length = _EXTRA.unpack_from(extra, at)
        at += _EXTRA.size
        if kind == _SIZES_64:
            sizes = iter(struct.unpack_from(f"<{min(length, len(extra) - at) // 8}Q", extra, at))
            _, packed, start = (
                next(sizes, one) if one == _IN_64 else one for one in (unpacked, packed, start)
            )
            break
        at += length
    return packed, start


def _directory(store: Store, found: Entry) -> tuple[int, int, int]:
    """Return where a zip's directory begins, its length, and how many members it lists."""
    key, size_bytes = found.key, found.size_bytes
    tail_bytes = min(size_bytes, _END.size + _LONGEST_COMMENT + _LOCATOR_64.size)
    tail = bytes(fetch(store, found, size_bytes - tail_bytes, tail_bytes)) if tail_bytes else b""
    at = tail.rfind(b"PK\x05\x06")
    if at < 0 or len(tail) - at < _END.size:
        raise InvalidInput(reason=f"{key!r} is not a zip, or is cut short.")
    fields = _END.unpack_from(tail, at)
    count, length, start = fields[4], fields[5], fields[6]
    locator = at - _LOCATOR_64.size
    if locator >= 0 and tail[locator : locator + 4] == b"PK\x06\x07":
        end_64 = bytes(fetch(store, found, _LOCATOR_64.unpack_from(tail, locator)[2], _END_64.size))
        if len(end_64) < _END_64.size or end_64[:4] != b"PK\x06\x06":
            raise InvalidInput(reason=f"The end of {key!r} is damaged.")
        wide = _END_64.unpack(end_64)
        count, length, start = wide[7], wide[8], wide[9]
    if start + length > size_bytes:
        raise InvalidInput(reason=f"{key!r} is cut short: its directory is not where it says.")
    return start, length, count
