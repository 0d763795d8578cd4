import struct
from io import BytesIO
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lampyris.domain.datatypes import Datatype
from lampyris.domain.signature import Signature, TensorSpec
from lampyris.domain.tensors import NUMPY_OF
from lampyris.errors import LampyrisError, NotAcceptable
from lampyris.http.predictions.npy import read_npy, write_npy


def one(datatype: Datatype) -> Signature:
    return Signature(inputs=(TensorSpec(name="x", datatype=datatype, shape=(-1,)),), outputs=())


def saved(values: Any, **options: Any) -> bytes:
    file = BytesIO()
    np.lib.format.write_array(file, np.asanyarray(values), **options)
    return file.getvalue()


def with_header(text: str, data: bytes = b"", version: bytes = b"\1\0") -> bytes:
    header = text.encode()
    length = struct.pack("<H" if version == b"\1\0" else "<I", len(header))
    return b"\x93NUMPY" + version + length + header + data


def header(descr: str = "'<f4'", shape: str = "(1,)", order: str = "False") -> str:
    return f"{{'descr': {descr}, 'fortran_order': {order}, 'shape': {shape}, }}\n"


def read(body: bytes, datatype: Datatype = "FP32") -> Any:
    return read_npy(body, one(datatype))["x"]


@pytest.mark.parametrize("datatype", [name for name in NUMPY_OF if name != "BYTES"])
def test_every_datatype_comes_through(datatype: Datatype) -> None:
    values = np.array([[0, 1], [1, 0]], NUMPY_OF[datatype])

    came = read(saved(values), datatype)

    assert came.dtype == values.dtype
    np.testing.assert_array_equal(came, values)


@pytest.mark.parametrize("version", [(1, 0), (2, 0), (3, 0)])
def test_every_version_is_read(version: tuple[int, int]) -> None:
    assert read(saved(np.array([1, 2], np.float32), version=version)).tolist() == [1, 2]


def test_strings_come_through() -> None:
    values = read(saved(np.array([["Ulm", "\u5149"]])), "BYTES")

    assert (values.dtype, values.tolist()) == (np.dtype(object), [["Ulm", "\u5149"]])


@pytest.mark.parametrize(
    "values",
    [
        np.asfortranarray(np.arange(6, dtype=np.float32).reshape(2, 3)),
        np.arange(6, dtype=">f4").reshape(2, 3),
        np.arange(6, dtype=np.float64).reshape(2, 3),
        np.arange(6, dtype=np.float16).reshape(2, 3),
    ],
    ids=["Fortran's order", "big-endian", "FP64 that is exact in FP32", "FP16"],
)
def test_other_layouts_become_the_models(values: Any) -> None:
    came = read(saved(values))

    assert came.dtype == np.float32
    assert came.dtype.isnative
    assert came.flags["C_CONTIGUOUS"]
    assert came.tolist() == [[0, 1, 2], [3, 4, 5]]


def test_integers_that_fit_are_taken() -> None:
    assert read(saved(np.array([0, 255])), "UINT8").tolist() == [0, 255]
    assert read(saved(np.array([0, 255], np.uint8)), "INT64").tolist() == [0, 255]


def test_what_is_not_finite_comes_through() -> None:
    assert np.isnan(read(saved(np.array([np.nan, np.inf], np.float64)))).tolist() == [True, False]


@pytest.mark.parametrize("shape", ["()", "(0,)", "(0, 5)", "(2, 0)"])
def test_few_values_or_none_keep_their_shape(shape: str) -> None:
    values = read(with_header(header(shape=shape), b"" if "0" in shape else bytes(4)))

    assert str(values.shape) == shape


def test_a_byte_that_is_neither_true_nor_false_is_true() -> None:
    assert read(with_header(header("'|b1'", "(3,)"), b"\0\1\7"), "BOOL").view(np.uint8).tolist() == [0, 1, 1]


@pytest.mark.parametrize(
    ("body", "datatype", "says"),
    [
        (saved([0.1]), "FP32", r"float64, with values that FP32 does not hold exactly; save .*np.float32"),
        (saved([1e300]), "FP32", "does not hold exactly"),
        (saved([256]), "UINT8", r"int64, with values that UINT8 does not hold exactly; save .*np.uint8"),
        (saved([-1]), "UINT64", "UINT64 does not hold exactly"),
        (saved(np.array([2**64 - 1], np.uint64)), "INT64", "INT64 does not hold exactly"),
        (saved([1]), "FP32", r"int64; the model wants FP32. Save array.astype\(np.float32\)"),
        (saved([1.0]), "INT64", "float64; the model wants INT64"),
        (saved([True]), "INT64", "bool; the model wants INT64"),
        (saved(["a"]), "FP32", "str32; the model wants FP32"),
        (saved([1.0]), "BYTES", r"the model wants BYTES. Save array.astype\(str\)"),
        (saved([1j]), "FP32", "complex128; save numbers, booleans or strings"),
        (saved(np.array(["2026-01-01"], "M8[D]")), "INT64", "save numbers"),
        (saved(np.zeros(1, [("a", "<f4")])), "FP32", "save numbers"),
        (saved([None]), "FP32", "pickled objects, which are never read"),
        (saved([b"a"]), "BYTES", "save numbers, booleans or strings"),
        (with_header(header("'<U1'"), b"\xff\xff\xff\xff"), "BYTES", "strings that are not Unicode"),
        (with_header(header("'<U1'"), b"\0\xd8\0\0"), "BYTES", "strings that are not Unicode"),
        (with_header(header("'<U0'", f"({10**9},)")), "BYTES", "save numbers"),
        (
            with_header(header(shape=f"({10**9},)"), bytes(8)),
            "FP32",
            "holds 8 bytes of values; float32 of shape",
        ),
        (with_header(header(), bytes(5)), "FP32", r"5 bytes of values; float32 of shape \[1\] has 4"),
        (with_header(header(shape="(-1, -1)"), bytes(4)), "FP32", "each of 0 to"),
        (with_header(header(shape=f"(0, {2**62})")), "FP32", "each of 0 to"),
        (with_header(header(shape=f"(0x{'f' * 5000},)")), "FP32", "each of 0 to"),
        (with_header(header(shape=f"({'2147483647,' * 31} 0)")), "FP32", "larger than any array"),
        (with_header(header(shape=f"({'1,' * 40})"), bytes(4)), "FP32", "32 dimensions"),
        (with_header(header("'<f4'").replace("shape", "form"), bytes(4)), "FP32", "header cannot be read"),
        (with_header("{" * 3000), "FP32", "header cannot be read"),
        (with_header("[1]" + " " * 20_000), "FP32", "header cannot be read"),
        (with_header("__import__('os')"), "FP32", "header cannot be read"),
        (with_header(header("('<f4', (2,))"), bytes(8)), "FP32", "save numbers"),
        (with_header(header(), bytes(4), version=b"\7\0"), "FP32", "not a .npy file"),
        (b"\x93NUMPY", "FP32", "not a .npy file"),
        (b"PK\3\4", "FP32", "not a .npy file"),
        (b"", "FP32", "not a .npy file"),
    ],
)
def test_a_refusal_says_what_came_and_what_would_be_right(body: bytes, datatype: Datatype, says: str) -> None:
    with pytest.raises(LampyrisError, match=says):
        read(body, datatype)


def test_one_array_is_not_for_several_inputs() -> None:
    both = Signature(inputs=one("FP32").inputs * 2, outputs=())

    with pytest.raises(LampyrisError, match=r"a \.npy file holds one array; send JSON"):
        read_npy(saved(np.array([1], np.float32)), both)


@pytest.mark.parametrize(
    "values",
    [
        np.array([[1, np.nan]], np.float32),
        np.array([True]),
        np.array(1.5, np.float16),
        np.empty((0, 3), np.int8),
    ],
)
def test_what_is_written_is_what_numpy_loads(values: Any) -> None:
    loaded = np.load(BytesIO(write_npy(values)), allow_pickle=False)

    assert loaded.dtype == values.dtype
    np.testing.assert_array_equal(loaded, values)


@pytest.mark.parametrize("texts", [["a\0", "b"], ["x" * 2**20] + ["y"] * 200])
def test_strings_that_npy_would_change_or_blow_up_are_not_written(texts: list[str]) -> None:
    with pytest.raises(NotAcceptable, match="ccept JSON"):
        write_npy(np.array(texts, np.object_))


def test_strings_are_written_without_pickle() -> None:
    texts = np.array(["Ulm", "\u5149"], object)

    assert np.load(BytesIO(write_npy(texts)), allow_pickle=False).tolist() == ["Ulm", "\u5149"]


@given(st.binary(max_size=100), st.integers(0, 130), st.sampled_from(["FP32", "UINT8", "BOOL", "BYTES"]))
def test_any_bytes_are_an_array_or_refused(noise: bytes, kept: int, datatype: Datatype) -> None:
    for whole in (saved(np.array([[1, 2]], np.float32)), saved(["ab"]), with_header(header())):
        try:
            values = read(whole[:kept] + noise, datatype)
        except LampyrisError:
            continue
        assert values.dtype == NUMPY_OF[datatype]
