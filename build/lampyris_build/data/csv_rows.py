"""Comma-separated values with a header (RFC 4180), gzipped or not, batch by batch."""

import codecs
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from io import RawIOBase
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.csv as pc

from lampyris_build.data.bad_rows import Report, shown
from lampyris_build.errors import DatasetBroken

# What is read at once; no row may be longer.
_BLOCK_BYTES: Final = 8 * 1024**2


class CsvRows:
    """The rows of a file, all of whose cells are words: what they mean, nobody knows before all are read."""

    def __init__(self, path: Path, delimiter: str) -> None:
        """Read the header. Raises: DatasetBroken if the file is none, or its header names no columns."""
        self.path = path
        self._delimiter = delimiter
        with _told(path), self._open((), lambda _: None) as reader:
            names = reader.schema.names
        if all(_is_number(name) for name in names):
            raise DatasetBroken(
                path=path,
                reason=f"its first line, {shown(delimiter.join(names))}, names no columns; add a header.",
            )
        self.names = tuple(name.strip() for name in names)
        self._written = dict(zip(self.names, names, strict=True))

    def batches(self, names: Sequence[str], unread: Report) -> Iterator[pa.RecordBatch]:
        """Yield the columns of that name from the first row on; `unread` is told of rows of another width."""
        with _told(self.path), self._open([self._written[name] for name in names], unread) as reader:
            for batch in reader:
                yield batch.rename_columns(list(names))

    def _open(self, written: Sequence[str], unread: Report) -> pc.CSVStreamingReader:
        def skip(row: pc.InvalidRow) -> str:
            unread(
                f"{shown(row.text)} has {row.actual_columns} cells, where {row.expected_columns} are named"
            )
            return "skip"

        return pc.open_csv(
            pa.PythonFile(_Utf8(self.path), mode="r"),
            read_options=pc.ReadOptions(block_size=_BLOCK_BYTES),
            parse_options=pc.ParseOptions(
                delimiter=self._delimiter, newlines_in_values=True, invalid_row_handler=skip
            ),
            convert_options=pc.ConvertOptions(
                include_columns=written or None, column_types=dict.fromkeys(written, pa.string())
            ),
        )


class _Utf8(RawIOBase):
    """A file, unpacked if it is gzipped, that is text. Raises: UnicodeDecodeError where it is none."""

    def __init__(self, path: Path) -> None:
        self._stream = pa.input_stream(path, compression="detect")
        self._decoder = codecs.getincrementaldecoder("utf-8")()

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        block: bytes = self._stream.read(size)
        self._decoder.decode(block, final=not block)
        return block

    def close(self) -> None:
        self._stream.close()
        super().close()


@contextmanager
def _told(path: Path) -> Iterator[None]:
    try:
        yield
    except UnicodeDecodeError as error:
        raise DatasetBroken(path=path, reason=f"it is no text in UTF-8: {error.reason}.") from None
    except (pa.ArrowInvalid, OSError) as error:
        said = str(error).partition(". Detail:")[0].rstrip(".")
        if "straddling" in said:
            said = f"a row is longer than {_BLOCK_BYTES:,} bytes; perhaps a quotation mark is never closed"
        raise DatasetBroken(path=path, reason=f"it is no CSV: {said}.") from None


def _is_number(name: str) -> bool:
    try:
        float(name)
    except ValueError:
        return False
    return True
