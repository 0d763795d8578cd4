import csv
from io import StringIO
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lampyris.errors import NotAcceptable
from lampyris.http.predictions.csv_table import class_table, output_table

LABELS = ("dark", 'half, or "dim"', "lit\nup")


def rows(text: str) -> list[list[str]]:
    return list(csv.reader(StringIO(text, newline=""), strict=True))


def test_a_classifiers_columns_are_the_label_and_all_probabilities() -> None:
    probabilities = np.array([[0.1, 0.7, 0.2], [0.5, 0.25, 0.25]], np.float32)

    table = class_table(probabilities, np.array([[1], [0]]), LABELS, None)

    assert rows(table) == [
        ["label", "probability", "probability_dark", 'probability_half, or "dim"', "probability_lit\nup"],
        ['half, or "dim"', "0.7", "0.1", "0.7", "0.2"],
        ["dark", "0.5", "0.5", "0.25", "0.25"],
    ]


def test_the_best_labels_stand_side_by_side() -> None:
    table = class_table(np.array([[0.1, 0.7, 0.2]], np.float32), np.array([[1, 2]]), LABELS, 2)

    assert rows(table) == [
        ["label_1", "probability_1", "label_2", "probability_2"],
        ['half, or "dim"', "0.7", "lit\nup", "0.2"],
    ]


def test_outputs_are_columns_and_larger_rows_several() -> None:
    outputs = {
        "one": np.array([1, 2]),
        "column": np.array([[True], [False]]),
        "grid": np.array([[[1, 2], [3, 4]], [[np.nan, np.inf], [-np.inf, 0.1]]], np.float32),
        "text": np.array(["a,b", 'c"'], object),
    }

    assert rows(output_table(outputs)) == [
        ["one", "column", "grid_0", "grid_1", "grid_2", "grid_3", "text"],
        ["1", "true", "1.0", "2.0", "3.0", "4.0", "a,b"],
        ["2", "false", "nan", "inf", "-inf", "0.1", 'c"'],
    ]


def test_lines_end_as_the_standard_says() -> None:
    assert output_table({"y": np.array([1])}) == "y\r\n1\r\n"


def test_no_rows_leave_the_header() -> None:
    assert output_table({"y": np.empty((0, 2), np.float32)}) == "y_0,y_1\r\n"


def test_a_table_too_wide_is_refused_with_a_way_out() -> None:
    with pytest.raises(NotAcceptable, match=r"20,000 values a row.* application/json, application/x-ndjson"):
        output_table({"y": np.zeros((1, 20_000))})


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@given(data=st.data())
def test_numbers_read_back_as_they_were(dtype: Any, data: st.DataObject) -> None:
    floats = st.floats(width=np.dtype(dtype).itemsize * 8, allow_nan=False)
    values = np.array(data.draw(st.lists(floats, min_size=1)), dtype)

    table = rows(output_table({"y": values}))

    np.testing.assert_array_equal(np.array([cell for (cell,) in table[1:]], dtype), values)
    assert table[1:] == [[str(value)] for value in values]
