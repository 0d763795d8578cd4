"""The parts that a card is made of. Their text is fit to print; whoever renders it escapes it."""

from collections.abc import Iterable

import msgspec

from lampyris.printable import printable

# What comes from a bundle is the uploader's: enough of it to be of use.
_LONGEST_CELL, _LONGEST_PARAGRAPH = 500, 5000


class Paragraph(msgspec.Struct, frozen=True, kw_only=True):
    text: str


class Table(msgspec.Struct, frozen=True, kw_only=True):
    """Every row has as many cells as the header."""

    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


class Code(msgspec.Struct, frozen=True, kw_only=True):
    text: str


Block = Paragraph | Table | Code


class Section(msgspec.Struct, frozen=True, kw_only=True):
    title: str
    blocks: tuple[Block, ...]


def paragraph(text: str) -> Paragraph:
    return Paragraph(text=printable(text, longest=_LONGEST_PARAGRAPH))


def code(line: str) -> Code:
    return Code(text=printable(line, longest=_LONGEST_PARAGRAPH))


def table(header: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> Table:
    return Table(
        header=header,
        rows=tuple(tuple(printable(cell, longest=_LONGEST_CELL) for cell in row) for row in rows),
    )
