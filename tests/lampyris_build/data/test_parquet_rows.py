from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lampyris_build.data.parquet_rows import ParquetRows
from lampyris_build.errors import DatasetBroken

TABLE = {
    "whole": [1, None],
    "number": [1.5, 2.5],
    "exact": [Decimal("1.25"), Decimal("2.50")],
    "word": ["a", None],
    "is": [True, False],
    "day": [date(2026, 3, 31), None],
    "moment": [datetime(2026, 3, 31, 8, 30), None],  # noqa: DTZ001 - Parquet has such, too
    "nothing": [None, None],
}


def saved(path: Path, table: dict[str, Any]) -> Path:
    pq.write_table(pa.table(table), path)
    return path


def test_every_plain_type_is_read(tmp_path: Path) -> None:
    rows = ParquetRows(
        saved(tmp_path / "a.parquet", TABLE | {"coded": pa.array(["x", "y"]).dictionary_encode()})
    )

    (batch,) = rows.batches(rows.names, lambda _: None)

    kinds = dict(zip(batch.schema.names, map(str, batch.schema.types), strict=True))
    assert kinds == {
        "whole": "double",
        "number": "double",
        "exact": "double",
        "word": "string",
        "is": "bool",
        "day": "timestamp[us]",
        "moment": "timestamp[us]",
        "nothing": "string",
        "coded": "string",
    }
    assert batch.column("exact").to_pylist() == [1.25, 2.5]


def test_files_of_a_folder_are_read_in_the_order_of_their_names(tmp_path: Path) -> None:
    for name in ("b", "a"):
        saved(tmp_path / f"{name}.parquet", {"x": [name]})

    batches = ParquetRows(tmp_path).batches(["x"], lambda _: None)

    assert [batch.to_pydict() for batch in batches] == [{"x": ["a"]}, {"x": ["b"]}]


def test_column_of_lists_is_refused(tmp_path: Path) -> None:
    rows = ParquetRows(saved(tmp_path / "a.parquet", {"x": [[1, 2]]}))

    with pytest.raises(DatasetBroken, match="column 'x' holds list<"):
        list(rows.batches(["x"], lambda _: None))


def test_what_is_no_parquet_is_told(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    path.write_bytes(b"a,b\n1,2\n")

    with pytest.raises(DatasetBroken, match="it is no Parquet file"):
        ParquetRows(path)


def test_damaged_pages_are_told(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.parquet", {"x": [f"word {place}" for place in range(5000)]})
    data = bytearray(path.read_bytes())
    data[20:4000] = bytes(3980)
    path.write_bytes(data)

    with pytest.raises(DatasetBroken, match="it is damaged"):
        list(ParquetRows(path).batches(["x"], lambda _: None))


def test_file_that_lacks_a_column_of_the_others_is_told(tmp_path: Path) -> None:
    saved(tmp_path / "a.parquet", {"x": [1], "y": [1]})
    saved(tmp_path / "b.parquet", {"x": [1]})

    with pytest.raises(DatasetBroken, match=r"b\.parquet.* lacks the column 'y' of a\.parquet"):
        ParquetRows(tmp_path)


def test_folder_without_parquet_is_told(tmp_path: Path) -> None:
    with pytest.raises(DatasetBroken, match="without files called"):
        ParquetRows(tmp_path)
