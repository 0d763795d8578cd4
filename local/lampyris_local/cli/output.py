"""How the command line looks: answers on stdout, everything else on stderr, colours on a terminal only."""

import re
import shutil
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, TextIO

import msgspec
from rich.box import SIMPLE_HEAD
from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment
from rich.table import Table
from rich.text import Text
from rich.theme import Theme

from lampyris.errors import LampyrisError

# A pipe has no width; this keeps a row of any table on one line there.
_PIPE_WIDTH = 240

# What a terminal obeys, or by which it turns text around; lines end as they do.
_OBEYED = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")

_THEME = Theme({"good": "green", "bad": "bold red", "quiet": "dim", "name": "cyan"})


@dataclass(eq=False, kw_only=True)
class UnwritableFile(LampyrisError):
    code = "unwritable-file"
    path: Path
    reason: str

    def __str__(self) -> str:
        return f"{self.path} {self.reason}."


def write_file(path: Path, data: bytes) -> None:
    """Raises: UnwritableFile."""
    try:
        path.write_bytes(data)
    except OSError as error:
        raise UnwritableFile(
            path=path, reason=f"cannot be written: {(error.strerror or str(error)).lower()}"
        ) from None


# Columns that hold dates.
_DATES = ("at", "changed", "created")


def answers() -> Console:
    """Return the console for what was asked for."""
    return _console(sys.stdout)


def remarks() -> Console:
    """Return the console for hints, progress and errors."""
    return _console(sys.stderr)


def stages() -> Console:
    """Return the console for a build's stages, which bring their own markup."""
    return _console(sys.stderr, markup=True)


class _Console(Console):
    """Prints text that strangers wrote, as tensors' names and labels are, without obeying it."""

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        for segment in super().render(renderable, options):
            if segment.control:
                yield segment
            else:
                yield segment._replace(text=_OBEYED.sub("", segment.text))


def _console(file: TextIO, *, markup: bool = False) -> Console:
    # Without markup, a name or a path with brackets in it is printed as it is.
    width = None if file.isatty() else _PIPE_WIDTH
    return _Console(file=file, width=width, theme=_THEME, highlight=False, emoji=False, markup=markup)


def program() -> str:
    """Return what to type for this program: its name, or its path where the name would not find it."""
    beside = Path(sys.executable).with_name("lampyris")
    found = shutil.which("lampyris")
    known = not beside.is_file() or (found is not None and Path(found).resolve() == beside.resolve())
    return "lampyris" if known else str(beside)


def print_json(document: Any) -> None:
    """Print the one JSON document that a command with --json answers."""
    sys.stdout.buffer.write(msgspec.json.format(msgspec.json.encode(document), indent=2) + b"\n")
    sys.stdout.flush()


def new_table(*columns: str, numbers: tuple[str, ...] = ()) -> Table:
    """Make an empty table; `numbers` are the columns that are aligned to the right."""
    table = Table(
        box=SIMPLE_HEAD if sys.stdout.isatty() else None,
        show_edge=False,
        pad_edge=False,
        header_style="bold",
        border_style="quiet",
    )
    for column in columns:
        table.add_column(
            column,
            justify="right" if column in numbers else "left",
            no_wrap=column in numbers or column in _DATES,
            overflow="fold",  # a digest that is cut is none
        )
    return table


def size(size_bytes: float) -> str:
    """Write a size for people: 45.2 kB."""
    for unit in ("B", "kB", "MB"):
        if size_bytes < 1000:  # noqa: PLR2004 - the step between units
            return f"{size_bytes:.0f} {unit}" if unit == "B" else f"{size_bytes:.1f} {unit}"
        size_bytes /= 1000
    return f"{size_bytes:.1f} GB"


def count(number: int, what: str) -> str:
    """Write a number of things: 1 blob, 2,000 blobs."""
    return f"{number:,} {what}" if number == 1 else f"{number:,} {what}s"


def percent(share: float | None) -> str:
    """Write a share for people: 98.6 %; a dash for none."""
    return "-" if share is None else f"{share * 100:.1f} %"


def figure(name: str, value: float | None) -> str:
    """Write a figure for people, by what its name says of its unit; a dash for none."""
    if value is None:
        return "-"
    if name.endswith("_bytes"):
        return size(value)
    if name.endswith("_ms"):
        return f"{value:.2f} ms"
    if "accuracy" in name or "_drop_" in name:
        return f"{value * 100:.2f} %"
    return f"{value:g}"


def page_hint(after: str | None) -> None:
    """Say where a list goes on that was not printed whole."""
    if after is not None:
        hint("There are more; they follow with", f"--after {after}")


def hint(what: str, typed: str) -> None:
    """Say what to type next."""
    remarks().print(Text.assemble(f"{what}: ", (typed, "name")), style="quiet", soft_wrap=True)


def milliseconds(value: float) -> str:
    """Write a duration for people; one decimal, so that a column of them lines up."""
    return f"{value:.1f}"


def print_error(sentence: str, *, code: str) -> None:
    """Say what went wrong, and the code that stays the same when the words change."""
    console = remarks()
    console.print(
        Text.assemble(("Error: ", "bad"), sentence, (f" [{code}]", "quiet")),
        soft_wrap=not console.is_terminal,
    )


def date(at: datetime) -> str:
    """Write a moment for people, in their time zone."""
    return f"{at.astimezone():%Y-%m-%d %H:%M}"
