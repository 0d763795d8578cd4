from pathlib import Path
from typing import Literal

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import numpy_helper

from lampyris_build.compression.context import Context
from lampyris_build.compression.static_int8 import static_int8
from lampyris_build.evaluation.session import open_session, run
from lampyris_build.recipe.compression import StaticInt8


@pytest.fixture(scope="module")
def int8(fp32: Path, context: Context) -> Path:
    path = fp32.with_name("static-int8.onnx")
    static_int8(fp32, StaticInt8(), context, path)
    return path


def served(model: Path, out: Path) -> list[str]:
    """Return the operators that run after the optimisation that `publish` applies."""
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
    options.optimized_model_filepath = str(out)
    onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
    return [node.op_type for node in onnx.load(out).graph.node]


def int8_weights(model: Path) -> list[np.ndarray]:
    initializers = [
        one for one in onnx.load(model).graph.initializer if one.data_type == onnx.TensorProto.INT8
    ]
    return [numpy_helper.to_array(one) for one in initializers if len(one.dims) > 1]


def test_every_layer_runs_in_integer_kernels(int8: Path, tmp_path: Path) -> None:
    operators = served(int8, tmp_path / "optimised.onnx")

    assert operators.count("QLinearConv") == 4
    assert operators.count("QLinearAdd") == 1
    assert operators.count("QGemm") == 2
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


def test_weights_are_small_enough_that_no_processor_overflows(int8: Path) -> None:
    weights = int8_weights(int8)

    # Two products with an activation of at most 255 are summed in 16 bits.
    assert len(weights) == 6
    assert max(int(np.abs(one.astype(np.int64)).max()) for one in weights) * 255 * 2 <= np.iinfo(np.int16).max


def test_quantisation_is_silent_and_leaves_only_its_result(
    fp32: Path, context: Context, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    static_int8(fp32, StaticInt8(samples=10, method="entropy"), context, tmp_path / "int8.onnx")

    assert capfd.readouterr() == ("", "")
    assert [path.name for path in tmp_path.iterdir()] == ["int8.onnx"]
