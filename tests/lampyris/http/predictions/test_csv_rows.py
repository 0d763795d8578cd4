from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lampyris.domain.datatypes import Datatype
from lampyris.domain.signature import Signature, TensorSpec
from lampyris.errors import LampyrisError, TooManyRows
from lampyris.http.predictions.csv_rows import read_csv
from lampyris.http.predictions.media_types import Content
from lampyris.http.predictions.rows import MAX_LINES


def one(datatype: Datatype = "FP32", shape: tuple[int, ...] = (-1, 3)) -> Signature:
    return Signature(inputs=(TensorSpec(name="x", datatype=datatype, shape=shape),), outputs=())


SEVERAL = Signature(
    inputs=(
        TensorSpec(name="age", datatype="FP32", shape=(-1, 1)),
        TensorSpec(name="town", datatype="BYTES", shape=(-1,)),
        TensorSpec(name="member", datatype="BOOL", shape=(-1, -1)),
        TensorSpec(name="visits", datatype="UINT8", shape=(-1,)),
    ),
    outputs=(),
)


def read(text: str | bytes, signature: Signature, **parameters: str) -> dict[str, Any]:
    body = text.encode() if isinstance(text, str) else text
    return read_csv(Content(media_type="text/csv", parameters=parameters, body=body), signature)


def only(text: str | bytes, signature: Signature, **parameters: str) -> Any:
    return read(text, signature, **parameters)["x"]


@pytest.mark.parametrize("header", ["", "a,b,c\n", '"sepal, cm",petal width,x\r\n'])
def test_columns_are_the_features_with_or_without_a_header(header: str) -> None:
    values = only(f"{header}1,2.5,-3e-2\n4, 5 ,6\n", one())

    assert values.dtype == np.float32
    np.testing.assert_array_equal(values, np.array([[1, 2.5, -0.03], [4, 5, 6]], np.float32))


def test_a_typing_error_in_the_first_line_does_not_make_it_a_header() -> None:
    with pytest.raises(LampyrisError, match=r"line 1, column 3: 'O' is not a number \(FP32\)"):
        only("1,2,O\n4,5,6\n", one())


def test_the_media_type_tells_a_header_of_numbers() -> None:
    assert only("0,1,2\n4,5,6\n", one(), header="present").tolist() == [[4, 5, 6]]
    assert only("0,1,2\n4,5,6\n", one(), header="absent").shape == (2, 3)


@pytest.mark.parametrize(
    "text", ["1,2,3", "1,2,3\r\n", "\n\n1,2,3\n\n\n", "\ufeff1,2,3\n", "1,2,3\r", '"1",2,"3"']
)
def test_line_ends_blank_lines_marks_and_quotes_make_no_difference(text: str) -> None:
    assert only(text, one()).tolist() == [[1, 2, 3]]


def test_a_larger_row_fills_its_last_axis_first() -> None:
    values = only("1,2,3,4\n5,6,7,8\n", one("UINT8", (-1, 2, 2, 1)))

    assert values.tolist() == [[[[1], [2]], [[3], [4]]], [[[5], [6]], [[7], [8]]]]


@pytest.mark.parametrize(
    ("shape", "text", "wanted"),
    [
        ((-1,), "1\n2\n", [1, 2]),
        ((), "1\n", 1),
        ((), "1\n2\n", [1, 2]),
        ((1, 2), "1,2\n", [[1, 2]]),
        ((-1, -1), "1,2\n3,4\n", [[1, 2], [3, 4]]),
        ((2,), "1\n2\n", [1, 2]),
    ],
)
def test_lines_are_the_first_axis(shape: tuple[int, ...], text: str, wanted: Any) -> None:
    assert only(text, one("INT64", shape)).tolist() == wanted


def test_a_header_names_several_inputs_in_any_order() -> None:
    text = 'visits,town,age,member\n3,"Ulm, Donau",40.5,true\n255,"say ""hi""",-1,0\n'

    values = read(text, SEVERAL)

    assert values["age"].tolist() == [[40.5], [-1]]
    assert values["town"].tolist() == ["Ulm, Donau", 'say "hi"']
    assert values["member"].tolist() == [[True], [False]]
    assert values["visits"].tolist() == [3, 255]
    assert [values[name].dtype.name for name in ("age", "town", "member", "visits")] == [
        "float32",
        "object",
        "bool",
        "uint8",
    ]


def test_strings_have_a_header_if_it_is_the_inputs_name() -> None:
    texts = one("BYTES", (-1,))

    assert only("x\ny\n", texts).tolist() == ["y"]
    assert only("y\nx\n", texts).tolist() == ["y", "x"]
    assert only('"two\nlines"\n', texts).tolist() == ["two\nlines"]


@pytest.mark.parametrize(
    ("text", "signature", "says"),
    [
        ("1,2,3\n1,2,abc\n", one(), r"line 2, column 3: 'abc' is not a number \(FP32\)"),
        ("1,2,3\n1,2,1_0\n", one(), r"line 2, column 3: '1_0' is not a number \(FP32\)"),
        ("1,2,3\n1,\uff12,3\n", one("INT64"), "line 2, column 2: '\uff12' is not an integer"),
        ("h,h,h\n\n1,2,\n", one(), r"line 3, column 3: the cell is empty \(FP32\)"),
        ("1,2,3\n1,2,nan\n", one(), "line 2, column 3: nan is not a finite number that FP32 holds"),
        ("1,2,3\n-inf,2,3\n", one(), "line 2, column 1: -inf is not a finite number"),
        ("1,1e39,3\n", one(), "line 1, column 2: 1e\\+39 is not a finite number that FP32 holds"),
        ("1,1e999,3\n", one("FP64"), "line 1, column 2: inf is not a finite number"),
        ("1,70000,3\n", one("FP16"), "line 1, column 2: 70000.0 is not a finite number that FP16 holds"),
        ("1,2,3.0\n", one("INT64"), r"'3.0' is not an integer \(INT64\)"),
        ("1,2,99999999999999999999\n", one("INT64"), "is not an integer"),
        ("1,2,3\n1,256,3\n", one("UINT8"), "line 2, column 2: 256 is not of UINT8"),
        ("1,-2,3\n", one("UINT8"), "column 2: '-2' is not an integer of 0 or more"),
        ("true,no,false\n", one("BOOL"), r"'no' is not true, false, 1 or 0 \(BOOL\)"),
        ("1,2,3\n1,2\n", one(), r"line 2 has 2 columns; the model wants 3, as its shape is \[-1, 3\]"),
        ("1,2,3,4\n", one(), "line 1 has 4 columns"),
        ("a,b\n1,2,3\n", one(), "line 1 has 2 columns"),
        ("1,2\n3\n", one(shape=(-1, -1)), "line 2 has 1 column; the model wants 2"),
        ("1;2;3\n", one(), "line 1 has 1 column"),
        ("", one(), "holds no rows"),
        ("\n\n", one(), "holds no rows"),
        ("a,b,c\n", one(), "holds no rows below its header"),
        ('1,2,"3\n', one(), "Line 1 is not CSV: unexpected end of data"),
        ('1,2,"3"4\n', one(), "Line 1 is not CSV"),
        (b"1,2,\xff\n", one(), "not text in UTF-8"),
        ("1,2\n", one(shape=(-1, -1, -1)), "does not tell how a row of shape"),
        ("age,town\n", SEVERAL, "'member': the header lacks this input"),
        ("age,town,member,visits,name\n", SEVERAL, "'name': the model has no such input; it takes age, town"),
        ("age,town,age,member,visits\n", SEVERAL, "'age': the header names this input twice"),
        ("age,town,member,visits\n1,x,1\n", SEVERAL, "Line 2 has 3 columns, the header 4"),
        ("age,town,member,visits\nx,x,1,1\n", SEVERAL, r"'age': line 2, column 1: 'x' is not a number"),
        ("", SEVERAL, "holds no rows"),
        ("1\n", Signature(inputs=(), outputs=()), "takes no inputs"),
        (",,\n1,2,3\n", one(), "line 1, column 1: the cell is empty"),
        (
            "id,1,2\n1,2,3\n",
            one(),
            "'id' is not a number .* If it is a header, send text/csv; header=present",
        ),
        ("1," + "2" * 5000 + ",3\n", one("INT64"), "line 1, column 2: '22222"),
    ],
)
def test_a_refusal_names_the_place_and_what_would_be_right(
    text: str | bytes, signature: Signature, says: str
) -> None:
    with pytest.raises(LampyrisError, match=says):
        read(text, signature)


def test_an_empty_cell_is_a_missing_number_where_the_model_fills_those() -> None:
    age = TensorSpec(name="age", datatype="FP32", shape=(-1,), nullable=True)
    town = TensorSpec(name="town", datatype="BYTES", shape=(-1,), nullable=True)
    signature = Signature(inputs=(age, town), outputs=())

    arrays = read_csv(
        Content(media_type="text/csv", parameters={}, body=b"age,town\n30,Rome\n ,\n"), signature
    )

    np.testing.assert_array_equal(arrays["age"], np.array([30, np.nan], np.float32))
    assert arrays["town"].tolist() == ["Rome", ""]


def test_infinity_is_no_missing_number() -> None:
    age = TensorSpec(name="age", datatype="FP32", shape=(-1,), nullable=True)
    content = Content(media_type="text/csv", parameters={}, body=b"age\n30\ninf\n")

    with pytest.raises(LampyrisError, match="line 3, column 1: inf is not a finite number"):
        read_csv(content, Signature(inputs=(age,), outputs=()))


def test_several_inputs_with_more_than_a_column_are_refused() -> None:
    wide = TensorSpec(name="wide", datatype="FP32", shape=(-1, 2))

    with pytest.raises(LampyrisError, match=r"'wide': CSV has one column .* shape \[-1, 2\]; send JSON"):
        read("wide,x\n1,2\n", Signature(inputs=(wide, *one(shape=(-1,)).inputs), outputs=()))


@pytest.mark.parametrize(
    ("parameters", "signature", "says"),
    [
        ({"header": "maybe"}, one(), "header='maybe'; it may be present or absent"),
        ({"header": "absent"}, SEVERAL, "a header must name them: age,town,member,visits"),
        ({"charset": "latin-1"}, one(), "text/csv; charset=utf-8"),
    ],
)
def test_odd_parameters_of_the_media_type_are_refused(
    parameters: dict[str, str], signature: Signature, says: str
) -> None:
    with pytest.raises(LampyrisError, match=says):
        read("1,2,3\n", signature, **parameters)


@pytest.mark.parametrize("line_end", ["\n", "\r", "\r\n"])
def test_lines_are_counted_before_any_is_read(line_end: str) -> None:
    text = f"no number{line_end}" * (MAX_LINES + 1)

    with pytest.raises(TooManyRows, match="more than the 1,000,000 lines"):
        only(text, one())


@given(
    st.lists(
        st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False), min_size=3, max_size=3),
        min_size=1,
    )
)
def test_numbers_come_through_as_they_were_written(rows: list[list[float]]) -> None:
    text = "".join(f"{a!r},{b!r},{c!r}\n" for a, b, c in rows)

    np.testing.assert_array_equal(only(text, one()), np.array(rows, np.float32))


@given(st.binary(max_size=200) | st.text('019.,-en"\n\r; x', max_size=60).map(str.encode))
def test_any_bytes_are_rows_or_refused(body: bytes) -> None:
    for signature in (one(), one("UINT8", (-1,)), one("BOOL"), one("BYTES", (-1, -1)), SEVERAL):
        try:
            values = read(body, signature)
        except LampyrisError:
            continue
        assert len({len(each) for each in values.values()}) == 1
