"""The fast way through CSV takes nothing that the strict one refuses, and says the same."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lampyris.batch.plain_numbers import read_plain_numbers
from lampyris.domain.datatypes import Datatype
from lampyris.domain.signature import Signature, TensorSpec
from lampyris.errors import LampyrisError
from lampyris.http.predictions.csv_rows import read_csv
from lampyris.http.predictions.media_types import CSV, Content

numbers = st.one_of(
    st.floats().map(str),
    st.integers(-(2**70), 2**70).map(str),
    st.integers(0, 300).map(str),
    st.text(alphabet='0123456789.-+eE _"[]ntN\r', max_size=6),
)


def taking(datatype: Datatype) -> Signature:
    return Signature(
        inputs=(TensorSpec(name="x", datatype=datatype, shape=(-1, 2)),),
        outputs=(TensorSpec(name="p", datatype="FP32", shape=(-1, 1)),),
    )


@settings(deadline=None, max_examples=200)
@given(
    st.lists(st.lists(numbers, min_size=1, max_size=3), min_size=1, max_size=3),
    st.sampled_from(["\n", "\r\n"]),
    st.sampled_from(["FP32", "FP64", "FP16", "UINT8", "INT64", "UINT64"]),
)
def test_what_is_taken_is_what_the_strict_reader_reads(
    rows: list[list[str]], line_end: str, datatype: Datatype
) -> None:
    body = line_end.join(",".join(row) for row in rows).encode()

    found = read_plain_numbers(body, len(rows), taking(datatype))

    if found is None:
        return
    content = Content(media_type=CSV, parameters={"header": "absent"}, body=b"\n" + body)
    expected = read_csv(content, taking(datatype))
    assert found["x"].dtype == expected["x"].dtype
    np.testing.assert_array_equal(found["x"], expected["x"])


@pytest.mark.parametrize("body", [b"1,2\n3,4", b"1.5,-2e3\r\n0,4", b"1, 2\n 3,4"])
def test_plain_numbers_are_taken(body: bytes) -> None:
    assert read_plain_numbers(body, 2, taking("FP32")) is not None


def test_one_column_is_taken_and_two_are_not() -> None:
    spec = TensorSpec(name="x", datatype="FP32", shape=(-1, 1))
    signature = Signature(inputs=(spec,), outputs=taking("FP32").outputs)

    found = read_plain_numbers(b"1\n2\n3", 3, signature)

    assert found is not None
    assert found["x"].tolist() == [[1], [2], [3]]
    assert read_plain_numbers(b"1,2\n3", 2, signature) is None


@pytest.mark.parametrize("body", [b"1,2,3\n4", b"1\n2,3,4", b"nan,1\n2,3", b"1e39,1\n2,3", b"1,2\n3,4\n5,6"])
def test_others_are_left_to_the_strict_reader(body: bytes) -> None:
    assert read_plain_numbers(body, 2, taking("FP32")) is None


def test_integers_that_do_not_fit_are_left_to_the_strict_reader() -> None:
    assert read_plain_numbers(b"256,1", 1, taking("UINT8")) is None
    with pytest.raises(LampyrisError):
        read_csv(Content(media_type=CSV, parameters={}, body=b"256,1"), taking("UINT8"))
