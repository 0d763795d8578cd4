from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from lampyris_build.data.csv_rows import CsvRows
from lampyris_build.data.dataset import Source
from lampyris_build.data.table import Columns, read_table
from lampyris_build.errors import DatasetBroken
from lampyris_build.recipe.sources import ColumnType

ROWS = """age,city,joined,member,id,label
31,Bern,2026-01-01,true,A1,no
,Rome,2026-01-02,false,A2,yes
44,,2026-01-03,true,A3,no
NA,Bern,,false,A4,yes
27,Rome,2026-01-05,,A5,no
1e39,Bern,2026-01-06,true,A6,yes
"""


def read(
    tmp_path: Path,
    text: str,
    *,
    inputs: tuple[str, ...] = (),
    target: str | None = "label",
    key: str | None = None,
    types: Mapping[str, ColumnType] | None = None,
    is_series: bool = False,
    max_bad_rows: float = 0.0,
) -> Source:
    path = tmp_path / "rows.csv"
    path.write_text(text)
    columns = Columns(inputs=inputs, target=target, key=key, types=types or {}, is_series=is_series)
    return read_table(CsvRows(path, ","), columns, max_bad_rows=max_bad_rows)


def test_every_column_is_an_input_but_the_target_and_the_key(tmp_path: Path) -> None:
    source = read(tmp_path, ROWS, key="id")

    kinds = {feature.name: feature.kind for feature in source.features}
    assert kinds == {"age": "number", "city": "category", "joined": "number", "member": "number"}
    assert source.samples.targets is not None
    assert source.samples.keys is not None
    assert source.samples.targets.tolist() == ["no", "yes"] * 3
    assert source.samples.keys.tolist() == ["A1", "A2", "A3", "A4", "A5", "A6"]


def test_missing_cells_are_nan_or_nothing(tmp_path: Path) -> None:
    inputs = read(tmp_path, ROWS).samples.inputs

    assert inputs["age"].dtype == np.float32
    np.testing.assert_array_equal(inputs["age"], np.array([31, np.nan, 44, np.nan, 27, np.nan], np.float32))
    np.testing.assert_array_equal(inputs["member"], np.array([1, 0, 1, 0, np.nan, 1], np.float32))
    assert inputs["city"].tolist() == ["Bern", "Rome", "", "Bern", "Rome", "Bern"]
    assert inputs["joined"][1] - inputs["joined"][0] == 1


def test_how_dates_and_booleans_are_sent_is_noted(tmp_path: Path) -> None:
    notes = " ".join(read(tmp_path, ROWS).notes)

    assert "'joined' holds dates, which are sent as days since 1970-01-01" in notes
    assert "'member' holds true and false, which are sent as 1 and 0" in notes


def test_recipe_names_the_columns_and_what_they_hold(tmp_path: Path) -> None:
    source = read(tmp_path, ROWS, inputs=("city", "age"), types={"age": "category"})

    assert [(feature.name, feature.kind) for feature in source.features] == [
        ("city", "category"),
        ("age", "category"),
    ]
    assert source.samples.inputs["age"].tolist() == ["31", "", "44", "NA", "27", "1e39"]


def test_booleans_to_predict_are_two_classes(tmp_path: Path) -> None:
    targets = read(tmp_path, ROWS, target="member").samples.targets

    assert targets is not None
    assert targets.tolist() == ["true", "false", "true", "false", "", "true"]


def test_past_of_a_series_target_is_an_input(tmp_path: Path) -> None:
    source = read(tmp_path, "t,a,b\n1,2,3\n4,5,6\n", target="a", key="t", is_series=True)

    assert [feature.name for feature in source.features] == ["a", "b"]


def test_empty_column_is_left_out_and_noted(tmp_path: Path) -> None:
    source = read(tmp_path, "a,b,label\n1,,x\n2,,y\n")

    assert [feature.name for feature in source.features] == ["a"]
    assert source.notes == ("Column 'b' is empty, and left out.",)


def test_rows_that_cannot_be_read_are_counted_and_left_out(tmp_path: Path) -> None:
    text = "a,b,label\n" + "1,2,x\n3,4,y\n" * 20 + "five,6,x\n7\n8,9,x\n"

    source = read(tmp_path, text, max_bad_rows=0.1)

    assert len(source.samples) == 41
    assert source.samples.inputs["a"][-1] == 8
    (note,) = source.notes
    assert note.startswith(
        "2 of 43 rows cannot be read, such as: '7' has 1 cells, where 3 are named; a is 'five'"
    )
    assert note.endswith("which is no number; they were left out.")


@pytest.mark.parametrize(
    ("text", "wanted", "sentence"),
    [
        (ROWS, {"target": "lable"}, "there is no column 'lable'; did you mean 'label'. It has age, city"),
        (ROWS, {"inputs": ("agee",)}, "no column 'agee'; did you mean 'age'"),
        (ROWS, {"key": "moment"}, "no column 'moment'; it has age"),
        (ROWS, {"inputs": ("age", "label")}, "names 'label', which is what is to be predicted"),
        (ROWS, {"types": {"town": "text"}}, "no column 'town'"),
        ("a,a,label\n1,2,3\n", {}, "two columns are called 'a'"),
        ("a,,label\n1,2,3\n", {}, "a column has no name"),
        ("a,label\n", {}, "it holds no rows"),
        ("label\nx\ny\n", {}, "no column left to predict from"),
        ("a,label\n,x\n,y\n", {}, "all columns to predict from are empty"),
        ("a,b,label\n,1,x\n", {"inputs": ("a", "b")}, "'a' is empty; leave it out"),
        (
            "a,label\n" + "1,x\n" * 20 + "z,x\n",
            {},
            r"1 of 21 rows .* a is 'z'.* cleaning\.max_bad_rows, which is 0",
        ),
        (
            "id,label\n" + "".join(f"customer{n},x\n" for n in range(600)),
            {},
            "column 'id' holds more than 256 different words.* 'id' = \"category\"",
        ),
    ],
)
def test_table_that_cannot_be_learnt_from_is_told(
    tmp_path: Path, text: str, wanted: dict[str, str], sentence: str
) -> None:
    with pytest.raises(DatasetBroken, match=sentence):
        read(tmp_path, text, **wanted)  # type: ignore[arg-type]  # of the type that each parameter has
