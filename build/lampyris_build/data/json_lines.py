"""A JSON object a line, gzipped or not, batch by batch."""

import gzip
import zlib
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import IO, Any, Final

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from lampyris_build.data.bad_rows import Report, shown
from lampyris_build.errors import DatasetBroken

_BATCH: Final = 16_384  # lines
_MAX_LINE_BYTES: Final = 8 * 1024**2


class JsonLinesRows:
    """The rows of a file; a key that an object lacks is a missing cell. Blank lines are passed over."""

    def __init__(self, path: Path) -> None:
        """Read all names, which any line may bring. Raises: DatasetBroken if the file cannot be read."""
        self.path = path
        names: dict[str, None] = {}
        for rows in self._objects(lambda _: None):
            for row in rows:
                names.update(dict.fromkeys(row))
        self.names = tuple(names)

    def batches(self, names: Sequence[str], unread: Report) -> Iterator[pa.RecordBatch]:
        """Yield the columns of that name from the first row on; `unread` is told of lines without objects."""
        for rows in self._objects(unread):
            columns = [self._column(name, [row.get(name) for row in rows]) for name in names]
            yield pa.RecordBatch.from_arrays(columns, list(names))

    def _objects(self, unread: Report) -> Iterator[list[dict[str, Any]]]:
        decode = msgspec.json.Decoder(dict[str, Any]).decode
        try:
            with gzip.open(self.path) if self.path.suffix == ".gz" else self.path.open("rb") as file:
                lines = enumerate(self._lines(file), start=1)
                while batch := list(islice(lines, _BATCH)):
                    rows = []
                    for number, line in batch:
                        try:
                            if line.strip():
                                rows.append(decode(line))
                        except (msgspec.DecodeError, RecursionError) as error:
                            unread(f"line {number}, {shown(line.decode(errors='replace').rstrip())}: {error}")
                    yield rows
        except (OSError, EOFError, zlib.error) as error:
            raise DatasetBroken(path=self.path, reason=f"it cannot be read: {error}.") from None

    def _lines(self, file: IO[bytes] | gzip.GzipFile) -> Iterator[bytes]:
        while line := file.readline(_MAX_LINE_BYTES + 1):
            if len(line) > _MAX_LINE_BYTES:
                raise DatasetBroken(
                    path=self.path,
                    reason=f"a line is longer than {_MAX_LINE_BYTES:,} bytes; are they JSON lines?",
                )
            yield line

    def _column(self, name: str, cells: list[Any]) -> pa.Array:
        kinds = set(map(type, cells)) - {type(None)}
        if kinds & {list, dict}:
            raise DatasetBroken(
                path=self.path,
                reason=f"its column {name!r} holds lists or objects; a cell is a number, a word, or true or "
                "false. Name the others in dataset.columns.",
            )
        if kinds <= {int, float}:
            return pa.array(map(_as_float, cells), pa.float64())
        if kinds == {bool}:
            return pa.array(cells, pa.bool_())
        return pa.array(map(_as_word, cells), pa.string())


def _as_float(cell: float | None) -> float | None:
    try:
        return None if cell is None else float(cell)
    except OverflowError:  # a whole number of more than 308 digits
        return float("inf")


def _as_word(cell: Any) -> str | None:
    if cell is None or isinstance(cell, str):
        return cell
    if isinstance(cell, bool):
        return "true" if cell else "false"
    word: str = pc.cast(pa.scalar(_as_float(cell)), pa.string()).as_py()  # as a column of numbers is written
    return word
