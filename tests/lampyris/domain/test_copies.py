from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from lampyris.domain.copies import (
    CopiedTensor,
    Copy,
    arrays_of,
    copied,
    copy_id,
    decode_copy,
    encode_copy,
)
from lampyris.domain.tensors import NUMPY_OF
from lampyris.errors import InvalidTensor, MalformedRequest

NOW = datetime(2026, 1, 1, tzinfo=UTC)
numbers = st.sampled_from([dtype for name, dtype in NUMPY_OF.items() if name != "BYTES"])


def copy(**tensors: Any) -> Copy:
    return Copy(
        id="c",
        model="glow",
        alias="live",
        revision=1,
        answered=1,
        shadow=2,
        at=NOW,
        run_ms=0.5,
        inputs=copied(tensors),
        outputs={},
    )


@given(
    values=numbers.flatmap(lambda dtype: arrays.arrays(dtype, arrays.array_shapes(min_dims=0, min_side=0)))
)
def test_arrays_come_back_bit_by_bit(values: Any) -> None:
    read = arrays_of(decode_copy(encode_copy(copy(x=values))).inputs)["x"]

    assert (read.dtype, read.shape) == (values.dtype, values.shape)
    assert read.tobytes() == values.tobytes()


@given(words=st.lists(st.text(), max_size=6))
def test_strings_come_back(words: list[str]) -> None:
    values = np.array([words], object).reshape(1, len(words))

    read = arrays_of(decode_copy(encode_copy(copy(x=values))).inputs)["x"]

    assert read.shape == values.shape
    assert read.tolist() == values.tolist()


def test_what_does_not_lie_in_order_comes_back() -> None:
    values = np.arange(6, dtype=np.float32).reshape(2, 3).T

    read = arrays_of(decode_copy(encode_copy(copy(x=values))).inputs)["x"]

    np.testing.assert_array_equal(read, values)


@pytest.mark.parametrize("data", [b"", b"\x80", b"\xff" * 100, msgspec.json.encode(copy())])
def test_what_is_no_copy_is_refused(data: bytes) -> None:
    with pytest.raises(MalformedRequest, match="no copy"):
        decode_copy(data)


@pytest.mark.parametrize(
    "tensor",
    [
        CopiedTensor(datatype="FP32", shape=(2,), data=b"1234"),
        CopiedTensor(datatype="FP32", shape=(1,), data=b"123"),
        CopiedTensor(datatype="FP32", shape=(-1,), data=b"1234"),
        CopiedTensor(datatype="FP32", shape=(1,), data=["1234"]),
        CopiedTensor(datatype="BYTES", shape=(1,), data=b"1234"),
        CopiedTensor(datatype="BYTES", shape=(2,), data=["1234"]),
    ],
)
def test_a_tensor_that_is_not_what_it_says_is_refused(tensor: CopiedTensor) -> None:
    with pytest.raises(InvalidTensor, match="'x'"):
        arrays_of({"x": tensor})


def test_copies_are_named_so_that_the_newest_comes_first() -> None:
    times = [NOW + timedelta(milliseconds=number) for number in range(0, 10**9, 10**7)]

    names = [copy_id(at, bytes(10)) for at in times]

    assert names == sorted(names, reverse=True)
    assert {len(name) for name in names} == {32}
    assert copy_id(NOW, bytes(10)) != copy_id(NOW, bytes(9) + b"\1")
