from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import numpy_helper

from lampyris_build.compression import quantize
from lampyris_build.data.dataset import Dataset
from lampyris_build.evaluation import agreement, open_session, probabilities


def served(model: Path, out: Path) -> list[str]:
    """Return the operators that run after the optimisation that `publish` applies."""
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
    options.optimized_model_filepath = str(out)
    onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
    return [node.op_type for node in onnx.load(out).graph.node]


def test_every_layer_runs_in_integer_kernels(int8: Path, tmp_path: Path) -> None:
    operators = served(int8, tmp_path / "optimised.onnx")

    assert operators.count("QLinearConv") == 2
    assert operators.count("QGemm") == 2
    assert not {"Conv", "FusedConv", "Gemm", "FusedGemm"} & set(operators)


def test_int8_finds_the_same_classes(dataset: Dataset, fp32: Path, int8: Path) -> None:
    assert agreement(fp32, int8, dataset.test.inputs) >= 0.98


def test_int8_probabilities_stay_near_those_of_fp32(dataset: Dataset, fp32: Path, int8: Path) -> None:
    answers = [probabilities(open_session(path), dataset.test.inputs) for path in (fp32, int8)]

    assert np.abs(answers[0] - answers[1]).mean() < 0.01


def test_weights_are_small_enough_that_no_processor_overflows(int8: Path) -> None:
    weights = [
        numpy_helper.to_array(one)
        for one in onnx.load(int8).graph.initializer
        if one.data_type == onnx.TensorProto.INT8 and len(one.dims) > 1
    ]

    # Two products with an activation of at most 255 are summed in 16 bits.
    assert len(weights) == 4
    assert max(int(np.abs(one.astype(np.int64)).max()) for one in weights) * 255 * 2 <= np.iinfo(np.int16).max


def test_quantisation_is_silent_and_leaves_only_its_result(
    dataset: Dataset, fp32: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    quantize(fp32, "image", dataset.train.inputs[:10], tmp_path / "int8.onnx")

    assert capfd.readouterr() == ("", "")
    assert [path.name for path in tmp_path.iterdir()] == ["int8.onnx"]
