import json
import tracemalloc
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as stnp

from lampyris.domain.signature import Signature, TensorSpec
from lampyris.domain.tensors import NUMPY_OF, Array, Tensor, array_of, check_inputs, tensor_of
from lampyris.errors import InvalidTensor

NUMERIC = [datatype for datatype in NUMPY_OF if datatype != "BYTES"]
SIGNATURE = Signature(
    inputs=(TensorSpec(name="x", datatype="FP32", shape=(-1, 3)),),
    outputs=(TensorSpec(name="y", datatype="FP32", shape=(-1, 3)),),
)


def tensor(data: list[Any], *, datatype: Any = "FP32", shape: tuple[int, ...] = (2,)) -> Tensor:
    return Tensor(name="x", datatype=datatype, shape=shape, data=data)


@st.composite
def arrays(draw: st.DrawFn) -> tuple[str, Array]:
    datatype = draw(st.sampled_from(NUMERIC))
    elements = {"allow_nan": False, "allow_infinity": False} if datatype.startswith("FP") else None
    shape = stnp.array_shapes(max_dims=4, max_side=5)
    return datatype, draw(stnp.arrays(NUMPY_OF[datatype], shape, elements=elements))


@given(arrays())
def test_every_array_survives_the_way_over_json(pair: tuple[Any, Array]) -> None:
    datatype, values = pair
    spec = TensorSpec(name="x", datatype=datatype, shape=values.shape)

    wire = msgspec.json.decode(msgspec.json.encode(tensor_of(spec, values)), type=Tensor)

    assert array_of(wire).dtype == values.dtype
    np.testing.assert_array_equal(array_of(wire), values)


@given(arrays())
def test_nested_data_means_the_same_as_flat_data(pair: tuple[Any, Array]) -> None:
    datatype, values = pair

    nested = tensor(values.tolist(), datatype=datatype, shape=values.shape)

    np.testing.assert_array_equal(array_of(nested), values)


@pytest.mark.parametrize(
    ("datatype", "value", "expected"),
    [
        ("FP32", 3.40282350e38, np.finfo(np.float32).max),  # the nearest that there is
        ("FP16", 65519.0, 65504.0),
        ("FP32", 2**24 + 1, 2.0**24),
        ("FP64", 2**64, 2.0**64),
        ("UINT64", 2**64 - 1, 2**64 - 1),
        ("INT64", -(2**63), -(2**63)),
    ],
)
def test_numbers_become_the_nearest_of_their_datatype(datatype: Any, value: Any, expected: Any) -> None:
    values = array_of(tensor([value], datatype=datatype, shape=(1,)))

    assert values.tolist() == [expected]


def test_strings_become_an_array_of_objects() -> None:
    values = array_of(tensor(["a", "b\0"], datatype="BYTES"))

    assert values.dtype == np.object_
    assert values.tolist() == ["a", "b\0"]


def nested(depth: int) -> Any:
    return "x" if depth == 0 else [nested(depth - 1)]


@pytest.mark.parametrize(
    ("wire", "says"),
    [
        (tensor([1, 2, 3]), "shape [2] wants 2 values, but data holds 3"),
        (tensor([1], shape=(-1,)), "negative dimension"),
        (tensor([[1, 2], [3]], shape=(2, 2)), "nested unevenly"),
        (tensor([[1, 2], [3, 4]], shape=(4, 1)), "shape is [4, 1], but data is nested as [2, 2]"),
        (tensor(["1", "2"]), "data holds strings; datatype FP32 wants numbers"),
        (tensor([1, None]), "null"),
        (tensor([True, False]), "data holds booleans; datatype FP32 wants numbers"),
        (tensor([0.5, True]), "data holds booleans; datatype FP32 wants numbers"),
        (tensor([1, True], datatype="FP64"), "data holds booleans; datatype FP64 wants numbers"),
        (tensor([1, True], datatype="FP16"), "data holds booleans; datatype FP16 wants numbers"),
        (tensor([1, True], datatype="INT64"), "data holds booleans; datatype INT64 wants integers"),
        (tensor([1, True], datatype="UINT8"), "data holds booleans; datatype UINT8 wants integers"),
        (tensor([1, True], datatype="UINT32"), "data holds booleans; datatype UINT32 wants integers"),
        (tensor([True, 1], datatype="BOOL"), "data holds integers; datatype BOOL wants booleans"),
        (tensor([1, 2.0], datatype="INT16"), "data holds numbers; datatype INT16 wants integers"),
        (tensor(["a", None], datatype="BYTES"), "data holds null; datatype BYTES wants strings"),
        (tensor([1.5, 2.5], datatype="INT64"), "data holds numbers; datatype INT64 wants integers"),
        (tensor([1, 0], datatype="BOOL"), "datatype BOOL wants booleans"),
        (tensor([0, 256], datatype="UINT8"), "data goes beyond UINT8, which holds 0 to 255"),
        (tensor([-1, 0], datatype="UINT64"), "beyond UINT64, which holds 0"),
        (tensor([0, 2**70], datatype="INT64"), "beyond INT64"),
        (tensor([1e39, 0.0]), "too large for FP32"),
        (tensor([3.4028236e38, 0.0]), "too large for FP32"),
        (tensor([65520.0, 0.0], datatype="FP16"), "too large for FP16"),
        (tensor([10**400, 0], datatype="FP64"), "too large for FP64"),
        (tensor([1, 2], datatype="BYTES"), "datatype BYTES wants strings"),
        (tensor([nested(20)], datatype="BYTES", shape=(1,)), "nested as [1, 1"),
        (tensor([nested(40)], datatype="BYTES", shape=(1,)), "32 deep at most"),
        (tensor([1.0, [2.0]]), "nested unevenly"),
        (tensor([1, {"a": 1}]), "data holds objects"),
        (tensor([10**400, 0]), "too large for FP32"),
        (tensor([True, False], datatype="UINT8"), "data holds booleans; datatype UINT8 wants integers"),
        (tensor([1], shape=(1,) * 65), "shape may have 32 dimensions"),
        (tensor([1], shape=(10**18,) * 300), "shape may have 32 dimensions"),
        (tensor([], shape=(0, 10**30)), "each of 2,147,483,647 at most"),
        (tensor([], shape=(0, *(2**31 - 1,) * 3)), "larger than any array"),
    ],
)
def test_data_that_do_not_fit_are_refused_with_what_would(wire: Tensor, says: str) -> None:
    with pytest.raises(InvalidTensor) as refusal:
        array_of(wire)

    assert says in str(refusal.value)
    assert "'x'" in str(refusal.value)


def test_one_long_string_among_numbers_takes_no_memory_by_the_number() -> None:
    wire = tensor([*range(10_000), "x" * 100_000], shape=(10_001,))  # np.array alone would ask for 4 GB
    tracemalloc.start()

    with pytest.raises(InvalidTensor, match="data holds strings"):
        array_of(wire)

    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak_bytes < 1_000_000


@given(
    st.recursive(st.none() | st.booleans() | st.floats() | st.integers() | st.text(), st.lists, max_leaves=20)
)
def test_no_json_value_breaks_the_parser(value: Any) -> None:
    data = value if isinstance(value, list) else [value]

    for datatype in NUMPY_OF:
        try:
            values = array_of(tensor(data, datatype=datatype, shape=(1,)))
        except InvalidTensor:
            continue
        assert values.shape == (1,)
        assert json.dumps(values.tolist()) is not None


@pytest.mark.parametrize(
    ("inputs", "says"),
    [
        ({"z": np.zeros((1, 3), np.float32)}, "'z': the model has no such input; it takes x"),
        ({}, "'x': this input is missing; it wants FP32 of shape [-1, 3]"),
        ({"x": np.zeros((1, 3), np.int64)}, "datatype is INT64; the model wants FP32"),
        ({"x": np.zeros((3,), np.float32)}, "shape is [3]; the model wants [-1, 3]"),
        ({"x": np.zeros((1, 4), np.float32)}, "shape is [1, 4]; the model wants [-1, 3]"),
    ],
)
def test_inputs_that_disagree_with_the_signature_are_refused(inputs: dict[str, Array], says: str) -> None:
    with pytest.raises(InvalidTensor, match=r".*") as refusal:
        check_inputs(SIGNATURE, inputs)

    assert says in str(refusal.value)


def test_any_size_fits_a_dynamic_dimension() -> None:
    check_inputs(SIGNATURE, {"x": np.zeros((7, 3), np.float32)})


@pytest.mark.parametrize("shape", [(0, 3), (2, 0)])
def test_a_tensor_without_values_never_reaches_onnxruntime(shape: tuple[int, int]) -> None:
    signature = Signature(inputs=(TensorSpec(name="x", datatype="FP32", shape=(-1, -1)),), outputs=())

    with pytest.raises(InvalidTensor, match="holds no values"):
        check_inputs(signature, {"x": np.zeros(shape, np.float32)})
