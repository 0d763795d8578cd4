"""Rows of a table that cannot be read: counted, shown, and refused if they are too many."""

from collections.abc import Callable
from pathlib import Path
from typing import Final

from lampyris_build.errors import DatasetBroken

_SHOWN: Final = 3
_SHOWN_LETTERS: Final = 80

Report = Callable[[str], None]


class BadRows:
    """How many rows could not be read, and why the first could not."""

    def __init__(self) -> None:
        self.count = 0
        self._shown: list[str] = []

    def add(self, reason: str) -> None:
        self.count += 1
        if len(self._shown) < _SHOWN:
            self._shown.append(reason)

    def note(self, path: Path, good: int, allowed: float) -> str | None:
        """Say what was left out beside the good rows. Raises: DatasetBroken if it is more than is allowed."""
        if not self.count:
            return None
        total = self.count + good
        rows = f"{self.count:,} of {total:,} rows cannot be read, such as: {'; '.join(self._shown)}"
        if self.count > allowed * total:
            raise DatasetBroken(
                path=path,
                reason=f"{rows}. Correct them, say what a column holds in dataset.types, or raise "
                f"cleaning.max_bad_rows, which is {allowed:g}.",
            )
        return f"{rows}; they were left out."


def shown(text: str) -> str:
    """Return what a row or cell holds, short enough for a sentence."""
    return repr(text if len(text) <= _SHOWN_LETTERS else f"{text[:_SHOWN_LETTERS]}…")
