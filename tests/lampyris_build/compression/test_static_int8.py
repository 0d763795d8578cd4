from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import numpy_helper

from lampyris_build.compression.context import Context
from lampyris_build.compression.static_int8 import static_int8
from lampyris_build.evaluation.session import open_session, run
from lampyris_build.recipe.compression import StaticInt8


@pytest.fixture(scope="module")
def residual_int8(residual_fp32: Path, context: Context) -> Path:
    path = residual_fp32.with_name("static-int8.onnx")
    static_int8(residual_fp32, StaticInt8(), context, path)
    return path


def int8_weights(model: Path) -> list[NDArray[Any]]:
    constants = [one for one in onnx.load(model).graph.initializer if one.data_type == onnx.TensorProto.INT8]
    return [numpy_helper.to_array(one) for one in constants if len(one.dims) > 1]


def test_every_layer_runs_in_integer_kernels(
    residual_int8: Path, served: Callable[[Path], onnx.GraphProto]
) -> None:
    operators = [node.op_type for node in served(residual_int8).node]

    assert operators.count("QLinearConv") == 7
    assert operators.count("QLinearAdd") == 3
    assert operators.count("QGemm") == 1
    assert not {"Conv", "FusedConv", "Gemm", "FusedGemm", "Add"} & set(operators)


@pytest.mark.parametrize("method", ["min-max", "entropy", "percentile"])
def test_probabilities_stay_near_those_of_fp32(
    fp32: Path, context: Context, tmp_path: Path, method: Literal["min-max", "entropy", "percentile"]
) -> None:
    static_int8(fp32, StaticInt8(method=method), context, tmp_path / "int8.onnx")

    before, after = (
        run(open_session(path), context.dataset.test.inputs)[0] for path in (fp32, tmp_path / "int8.onnx")
    )
    assert (before.argmax(axis=1) == after.argmax(axis=1)).mean() >= 0.98
    assert np.abs(before - after).mean() < 0.01


def test_weights_are_small_enough_that_no_processor_overflows(residual_int8: Path) -> None:
    weights = int8_weights(residual_int8)

    # Two products with an activation of at most 255 are summed in 16 bits.
    assert len(weights) == 8
    assert max(int(np.abs(one.astype(np.int64)).max()) for one in weights) * 255 * 2 <= np.iinfo(np.int16).max


def test_each_channel_uses_the_whole_range(residual_int8: Path) -> None:
    largest = [
        np.abs(one.astype(np.int64)).reshape(len(one), -1).max(axis=1) for one in int8_weights(residual_int8)
    ]

    assert (np.concatenate(largest) == 64).all()


def test_without_channels_a_layer_shares_one_range(
    residual_fp32: Path, context: Context, tmp_path: Path
) -> None:
    static_int8(residual_fp32, StaticInt8(per_channel=False), context, tmp_path / "int8.onnx")

    weights = int8_weights(tmp_path / "int8.onnx")
    assert all(np.abs(one.astype(np.int64)).max() == 64 for one in weights)
    assert any(np.abs(one[0].astype(np.int64)).max() < 64 for one in weights)


def test_preprocessing_and_softmax_stay_in_fp32(residual_int8: Path) -> None:
    graph = onnx.load(residual_int8).graph
    made_by = {name: node.op_type for node in graph.node for name in node.output}
    beside = {node.op_type: [made_by.get(name) for name in node.input] for node in graph.node}

    assert "DequantizeLinear" not in beside["Sub"] + beside["Div"] + beside["Softmax"]


def test_quantisation_is_silent_and_leaves_only_its_result(
    fp32: Path, context: Context, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    static_int8(fp32, StaticInt8(samples=10, method="entropy"), context, tmp_path / "int8.onnx")

    assert capfd.readouterr() == ("", "")
    assert [path.name for path in tmp_path.iterdir()] == ["int8.onnx"]
