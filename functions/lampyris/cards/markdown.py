"""A card in Markdown (CommonMark with GitHub's tables)."""

import re

from lampyris.cards.card import Card
from lampyris.cards.section import Block, Code, Paragraph, Section, Table

# What would become markup inside a line; an underscore within a word would not.
_MARKUP = re.compile(r"[\\`*\[\]|~!$#]|(?<![^\W_])_|_(?![^\W_])")
# What would make a paragraph that begins with it a list or a heading.
_OPENING = re.compile(r"^(\d*)([-+=.)])")
_ENTITIES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})
_BACKTICKS = re.compile("`+")


def to_markdown(card: Card) -> str:
    """Write a card whose text shows as it is, whoever wrote it."""
    parts = [f"# {_escaped(card.title)}", *map(_section, card.sections)]
    return "\n\n".join(parts) + "\n"


def _section(section: Section) -> str:
    return "\n\n".join([f"## {_escaped(section.title)}", *map(_block, section.blocks)])


def _block(block: Block) -> str:
    match block:
        case Paragraph():
            return _OPENING.sub(r"\1\\\2", _escaped(block.text).lstrip())
        case Code():
            longest = max((len(run) for run in _BACKTICKS.findall(block.text)), default=0)
            fence = "`" * max(3, longest + 1)
            return f"{fence}\n{block.text}\n{fence}"
        case Table():
            return "\n".join([_row(block.header), "|" + "---|" * len(block.header), *map(_row, block.rows)])


def _row(cells: tuple[str, ...]) -> str:
    return f"| {' | '.join(map(_escaped, cells))} |"


def _escaped(text: str) -> str:
    return _MARKUP.sub(r"\\\g<0>", text).translate(_ENTITIES)
