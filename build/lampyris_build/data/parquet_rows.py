"""Apache Parquet: a file, or a folder of files with the same columns, batch by batch."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from lampyris_build.data.bad_rows import Report
from lampyris_build.errors import DatasetBroken

_BATCH: Final = 16_384  # rows


class ParquetRows:
    """The rows of the files, in the order of their names."""

    def __init__(self, path: Path) -> None:
        """Read what the files say of themselves. Raises: DatasetBroken if they are none, or not alike."""
        self.path = path
        self._files = sorted(path.rglob("*.parquet")) if path.is_dir() else [path]
        if not self._files:
            raise DatasetBroken(path=path, reason="it is a folder without files called .parquet.")
        schemas = [_schema(file) for file in self._files]
        self.names = tuple(schemas[0].names)
        for file, schema in zip(self._files, schemas, strict=True):
            for name in self.names:
                if name not in schema.names:
                    raise DatasetBroken(
                        path=file, reason=f"it lacks the column {name!r} of {self._files[0].name}."
                    )

    def batches(
        self,
        names: Sequence[str],
        unread: Report,  # noqa: ARG002 - all of them can be read
    ) -> Iterator[pa.RecordBatch]:
        """Yield the columns of that name from the first row on. Raises: DatasetBroken."""
        for path in self._files:
            try:
                with pq.ParquetFile(path) as file:
                    for batch in file.iter_batches(_BATCH, columns=list(names)):
                        yield pa.RecordBatch.from_arrays(
                            [plain(path, name, batch.column(name)) for name in names], list(names)
                        )
            except (pa.ArrowException, OSError) as error:
                raise DatasetBroken(path=path, reason=f"it is damaged: {error}.") from None


def plain(path: Path, name: str, column: pa.Array) -> pa.Array:
    """Return a column as words, numbers, booleans or moments. Raises: DatasetBroken if it is none of them."""
    kind = column.type
    if pa.types.is_dictionary(kind):
        return plain(path, name, column.dictionary_decode())
    if pa.types.is_null(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        return pc.cast(column, pa.string())
    if pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        return pc.cast(column, pa.float64(), safe=False)
    if pa.types.is_date(kind) or pa.types.is_timestamp(kind):
        return pc.cast(column, pa.timestamp("us"), safe=False)
    if pa.types.is_string(kind) or pa.types.is_boolean(kind):
        return column
    raise DatasetBroken(
        path=path,
        reason=f"its column {name!r} holds {kind}; a cell is a number, a word, a date, or true or false. "
        "Name the others in dataset.columns.",
    )


def _schema(path: Path) -> pa.Schema:
    try:
        return pq.read_schema(path)
    except (pa.ArrowException, OSError) as error:
        raise DatasetBroken(path=path, reason=f"it is no Parquet file: {str(error).rstrip('.')}.") from None
