import gzip
from pathlib import Path
from typing import Any

import pytest

from lampyris_build.data.json_lines import JsonLinesRows
from lampyris_build.data.table import Columns, read_table
from lampyris_build.errors import DatasetBroken


def rows(tmp_path: Path, content: bytes, name: str = "rows.jsonl") -> JsonLinesRows:
    path = tmp_path / name
    path.write_bytes(content)
    return JsonLinesRows(path)


def read(given: JsonLinesRows, unread: list[str] | None = None) -> dict[str, list[Any]]:
    (batch,) = given.batches(given.names, ([] if unread is None else unread).append)
    return {name: batch.column(name).to_pylist() for name in given.names}


def test_any_line_may_bring_a_column(tmp_path: Path) -> None:
    given = rows(tmp_path, b'{"a": 1}\n\n{"b": "x", "a": null}\n')

    assert given.names == ("a", "b")
    assert read(given) == {"a": [1.0, None], "b": [None, "x"]}


def test_mixed_cells_are_words_as_they_would_be_written(tmp_path: Path) -> None:
    given = rows(tmp_path, b'{"a": 5}\n{"a": "n/a"}\n{"a": true}\n{"a": 0.5}\n{"a": null}')

    assert read(given) == {"a": ["5", "n/a", "true", "0.5", None]}


def test_gzipped_lines_are_read_alike(tmp_path: Path) -> None:
    assert read(rows(tmp_path, gzip.compress(b'{"a": true}\n'), "rows.jsonl.gz")) == {"a": [True]}


def test_lines_without_an_object_are_told_and_left_out(tmp_path: Path) -> None:
    unread: list[str] = []
    given = rows(tmp_path, b'{"a": 1}\n[1]\n{"a": NaN}\n{"a": 2\n\xff\n{"a": 3}\n' + b"[" * 100_000 + b"\n")

    assert read(given, unread) == {"a": [1.0, 3.0]}
    assert [reason.partition(",")[0] for reason in unread] == [
        "line 2",
        "line 3",
        "line 4",
        "line 5",
        "line 7",
    ]


@pytest.mark.parametrize(
    ("content", "name", "sentence"),
    [
        (b'{"a": [1]}\n', "rows.jsonl", "column 'a' holds lists or objects"),
        (b'{"a": 1}\n', "rows.jsonl.gz", "cannot be read"),
        (gzip.compress(b'{"a": 1}\n')[:-9], "rows.jsonl.gz", "cannot be read"),
        (b'{"a": "' + b"x" * 9_000_000 + b'"}', "rows.jsonl", "line is longer than 8,388,608 bytes"),
    ],
    ids=["list", "no-gzip", "cut-short", "one-line"],
)
def test_file_that_is_no_table_is_told(tmp_path: Path, content: bytes, name: str, sentence: str) -> None:
    with pytest.raises(DatasetBroken, match=sentence):
        read(rows(tmp_path, content, name))


def test_file_without_any_object_is_refused(tmp_path: Path) -> None:
    columns = Columns(inputs=("a",), target=None, key=None, types={}, is_series=False)

    with pytest.raises(DatasetBroken, match="it holds no rows that can be read"):
        read_table(rows(tmp_path, b"a,label\n1,x\n"), columns, max_bad_rows=1.0)
