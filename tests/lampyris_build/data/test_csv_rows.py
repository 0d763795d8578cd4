import gzip
from pathlib import Path

import pytest

from lampyris_build.data.csv_rows import CsvRows
from lampyris_build.errors import DatasetBroken


def rows(tmp_path: Path, content: bytes, name: str = "rows.csv") -> CsvRows:
    path = tmp_path / name
    path.write_bytes(content)
    return CsvRows(path, ",")


def read(given: CsvRows, unread: list[str] | None = None) -> list[dict[str, str]]:
    report = ([] if unread is None else unread).append
    return [row for batch in given.batches(given.names, report) for row in batch.to_pylist()]


def test_quoted_cells_hold_what_separates_others(tmp_path: Path) -> None:
    given = rows(tmp_path, b'a, b \n"x,1","say ""hi""\nthere"\n1,\n')

    assert given.names == ("a", "b")
    assert read(given) == [{"a": "x,1", "b": 'say "hi"\nthere'}, {"a": "1", "b": ""}]


def test_rows_can_be_read_again_and_only_some_columns(tmp_path: Path) -> None:
    given = rows(tmp_path, b"a,b\n1,2\n")

    assert read(given) == read(given)
    assert [batch.to_pydict() for batch in given.batches(["b"], lambda _: None)] == [{"b": ["2"]}]


def test_marks_of_windows_and_gzip_are_understood(tmp_path: Path) -> None:
    plain = rows(tmp_path, b"\xef\xbb\xbfa,b\r\n1,2\r\n\r\n3,4\r\n")
    zipped = rows(tmp_path, gzip.compress(b"a,b\n1,2\n3,4\n"), "rows.csv.gz")

    assert plain.names == ("a", "b")
    assert read(plain) == read(zipped)


def test_rows_of_another_width_are_told_and_left_out(tmp_path: Path) -> None:
    unread: list[str] = []

    assert read(rows(tmp_path, b"a,b\n1,2\n3\n4,5,6\n7,8\n"), unread) == [
        {"a": "1", "b": "2"},
        {"a": "7", "b": "8"},
    ]
    assert unread == ["'3' has 1 cells, where 2 are named", "'4,5,6' has 3 cells, where 2 are named"]


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "no CSV: Empty CSV file"),
        (b"\n\n", "no CSV"),
        (b"1,2\n3,4\n", "its first line, '1,2', names no columns; add a header"),
        (b"a,b\n1,\xff\n", "no text in UTF-8"),
        (b"PK\x03\x04\x90\xfa", "no text in UTF-8"),
        (
            b'a,b\n"' + b"x" * 20_000_000,
            "longer than 8,388,608 bytes; perhaps a quotation mark is never closed",
        ),
    ],
    ids=["empty", "blank", "no-header", "no-text", "zip", "open-quote"],
)
def test_file_that_is_no_csv_is_told(tmp_path: Path, content: bytes, sentence: str) -> None:
    with pytest.raises(DatasetBroken, match=sentence):
        read(rows(tmp_path, content))


def test_gzip_that_was_cut_short_is_told(tmp_path: Path) -> None:
    content = gzip.compress(b"a,b\n" + b"1,2\n" * 1000)[:-10]

    with pytest.raises(DatasetBroken, match="no CSV: Truncated"):
        read(rows(tmp_path, content, "rows.csv.gz"))
