import struct
from typing import Any

import numpy as np
import pytest

from lampyris.domain.tensors import NUMPY_OF
from lampyris.errors import InvalidTensor
from lampyris.http.open_inference.binary_data import array_of_bytes, bytes_of


def read(data: bytes, datatype: Any = "FP32", shape: tuple[int, ...] = (2,)) -> Any:
    return array_of_bytes("x", datatype, shape, memoryview(data))


def test_numbers_are_little_endian_and_row_by_row() -> None:
    values = read(struct.pack("<6h", 1, 2, 3, 4, 5, -6), "INT16", (2, 3))

    assert values.dtype == np.int16
    assert values.tolist() == [[1, 2, 3], [4, 5, -6]]


def test_numbers_are_not_copied_where_they_are_aligned() -> None:
    data = struct.pack("<4d", 0, 1, 2, 3)

    values = read(data, "FP64", (4,))

    assert np.shares_memory(values, np.frombuffer(data, np.uint8))


@pytest.mark.parametrize("offset", range(8))
def test_numbers_are_aligned_wherever_they_stand_in_a_body(offset: int) -> None:
    body = bytes(offset) + struct.pack("<2d", 0.5, -1.0)

    values = array_of_bytes("x", "FP64", (2,), memoryview(body)[offset:])

    assert values.flags.aligned
    assert values.tolist() == [0.5, -1.0]


def test_bytes_carry_what_json_cannot() -> None:
    values = read(struct.pack("<3f", np.nan, np.inf, -np.inf), shape=(3,))

    np.testing.assert_array_equal(values, np.array([np.nan, np.inf, -np.inf], np.float32))


def test_strings_come_after_their_lengths() -> None:
    values = np.array([["dark", ""], ["gl\u00fch", "a\0b"]], np.object_)

    data = bytes_of(values)

    assert data.startswith(b"\4\0\0\0dark\0\0\0\0\5\0\0\0gl\xc3\xbch")
    assert read(data, "BYTES", (2, 2)).tolist() == values.tolist()


@pytest.mark.parametrize("datatype", NUMPY_OF)
def test_a_tensor_may_have_no_values(datatype: Any) -> None:
    empty = np.empty((0, 3), NUMPY_OF[datatype])

    assert bytes_of(empty) == b""
    assert read(b"", datatype, (0, 3)).shape == (0, 3)


@pytest.mark.parametrize(
    ("data", "datatype", "shape", "says"),
    [
        (bytes(7), "FP32", (2,), "shape [2] of FP32 wants 8 bytes, but there are 7"),
        (bytes(9), "FP32", (2,), "wants 8 bytes, but there are 9"),
        (b"", "FP32", (2,), "wants 8 bytes, but there are 0"),
        (bytes(8), "FP32", (-2,), "negative dimension"),
        (bytes(8), "FP32", (2**40,), "at most"),
        (b"", "FP32", (0, *(2**31 - 1,) * 3), "larger than any array"),
        (b"\0\2", "BOOL", (2,), "neither 0 nor 1"),
        (b"\1\0\0\0a", "BYTES", (2,), "shape [2] wants 2 values, but data holds 1"),
        (b"\1\0\0", "BYTES", (1,), "value 0 goes beyond the tensor's 3 bytes"),
        (b"\1\0\0\0a\2\0\0\0b", "BYTES", (2,), "value 1 goes beyond the tensor's 10 bytes"),
        (b"\xff\xff\xff\xff", "BYTES", (1,), "value 0 goes beyond"),
        (b"\1\0\0\0\xff", "BYTES", (1,), "value 0 is not UTF-8"),
    ],
)
def test_bytes_that_do_not_fit_are_refused_with_what_would(
    data: bytes, datatype: str, shape: tuple[int, ...], says: str
) -> None:
    with pytest.raises(InvalidTensor) as refusal:
        read(data, datatype, shape)

    assert says in str(refusal.value)
    assert "'x'" in str(refusal.value)
