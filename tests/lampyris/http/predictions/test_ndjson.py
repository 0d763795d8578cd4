import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lampyris.domain.signature import Signature, TensorSpec
from lampyris.errors import LampyrisError
from lampyris.http.predictions.ndjson import read_ndjson
from lampyris.http.predictions.rows import MAX_LINES

FEATURES = Signature(inputs=(TensorSpec(name="x", datatype="FP32", shape=(-1, 2)),), outputs=())
NUMBERS = Signature(inputs=(TensorSpec(name="x", datatype="INT64", shape=(-1,)),), outputs=())
SEVERAL = Signature(
    inputs=(
        TensorSpec(name="age", datatype="FP32", shape=(-1, 1)),
        TensorSpec(name="town", datatype="BYTES", shape=(-1,)),
    ),
    outputs=(),
)


@pytest.mark.parametrize(
    "body",
    [
        b"[1, 2]\n[3, 4]\n",
        b"[1,2]\r\n\r\n\n[3,4]",
        b'{"x": [1, 2]}\n{"x": [3, 4]}\n',
        b"\n  [1.0,2]\n[3,4]\n ",
    ],
)
def test_each_line_is_a_row_or_names_it(body: bytes) -> None:
    values = read_ndjson(body, FEATURES)["x"]

    assert (values.dtype.name, values.tolist()) == ("float32", [[1, 2], [3, 4]])


def test_plain_values_are_rows_of_a_list_of_numbers() -> None:
    assert read_ndjson(b"1\n2\n", NUMBERS)["x"].tolist() == [1, 2]


def test_objects_name_several_inputs_in_any_order() -> None:
    body = b'{"age": 40, "town": "Ulm"}\n{"town": "Au", "age": 2.5}\n'

    values = read_ndjson(body, SEVERAL)

    assert values["age"].tolist() == [[40], [2.5]]
    assert values["town"].tolist() == ["Ulm", "Au"]


def test_a_column_is_taken_as_lists_of_one_too() -> None:
    values = read_ndjson(b'{"age": [40], "town": "Ulm"}\n', SEVERAL)

    assert values["age"].tolist() == [[40]]


@pytest.mark.parametrize(
    ("body", "signature", "says"),
    [
        (b"[1,2]\n\n[1,", FEATURES, "Line 3 is not valid JSON"),
        (b"[1,2]\n[1,NaN]\n", FEATURES, "Line 2 is not valid JSON"),
        (b"[" * 100_000, FEATURES, "Line 1 is nested too deeply"),
        (b"\xff\xfe\n", FEATURES, "Line 1 is not valid JSON"),
        (b'[1,2]\n\n[1,"a"]\n', FEATURES, "'x': line 3: data holds strings; datatype FP32 wants numbers"),
        (
            b"[1,2]\n[1,2]\n[1,2,3]\n",
            FEATURES,
            "'x': line 3: it is unlike the rows before it: data is nested",
        ),
        (b"1\n2\n2.5\n", NUMBERS, "line 3: data holds numbers; datatype INT64 wants integers"),
        (b"null\n", NUMBERS, "line 1: data holds null"),
        (b'[1,2]\n{"x":[1,2]}\n', FEATURES, "Line 2 is not a row, as line 1 is"),
        (b'{"x":[1,2]}\n[1,2]\n', FEATURES, "Line 2 is not an object, as line 1 is"),
        (b"[40, 1]\n", SEVERAL, "send an object on each line that names them: age, town"),
        (b'{"age": 1, "town": "a"}\n{"age": 1}\n', SEVERAL, "'town': line 2: this input is missing"),
        (b'{"age": 1, "town": "a", "x": 1}\n', SEVERAL, "'x': line 1: the model has no such input"),
        (b"", FEATURES, "holds no rows"),
        (b"\n \n", FEATURES, "holds no rows"),
        (b"x\n" * (MAX_LINES + 1), NUMBERS, "more than the 1,000,000 lines"),
    ],
)
def test_a_refusal_names_the_line_and_what_would_be_right(
    body: bytes, signature: Signature, says: str
) -> None:
    with pytest.raises(LampyrisError, match=says):
        read_ndjson(body, signature)


@given(
    st.lists(
        st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False), min_size=2, max_size=2),
        min_size=1,
    )
)
def test_rows_come_through_as_they_were_written(rows: list[list[float]]) -> None:
    body = "\n".join(json.dumps(row) for row in rows).encode()

    np.testing.assert_array_equal(read_ndjson(body, FEATURES)["x"], np.array(rows, np.float32))


JSON_VALUES: Any = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda values: st.lists(values, max_size=3) | st.dictionaries(st.sampled_from(["age", "x"]), values),
)


@given(
    st.binary(max_size=200)
    | st.lists(JSON_VALUES, max_size=4).map(lambda rows: "\n".join(map(json.dumps, rows)).encode())
)
def test_any_bytes_are_rows_or_refused(body: bytes) -> None:
    for signature in (FEATURES, NUMBERS, SEVERAL):
        try:
            read_ndjson(body, signature)
        except LampyrisError:
            continue


def test_null_is_what_is_missing_where_the_model_fills_it() -> None:
    age = TensorSpec(name="age", datatype="FP32", shape=(-1,), nullable=True)
    town = TensorSpec(name="town", datatype="BYTES", shape=(-1,), nullable=True)
    body = b'{"age": null, "town": "Rome"}\n{"age": 30, "town": null}\n'

    arrays = read_ndjson(body, Signature(inputs=(age, town), outputs=()))

    np.testing.assert_array_equal(arrays["age"], np.array([np.nan, 30], np.float32))
    assert arrays["town"].tolist() == ["Rome", ""]


def test_null_is_refused_where_the_model_fills_nothing() -> None:
    with pytest.raises(LampyrisError, match="line 2: data holds null"):
        read_ndjson(b'{"age": [1], "town": "Rome"}\n{"age": null, "town": "Rome"}\n', SEVERAL)
