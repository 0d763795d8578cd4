"""Models small enough to be written by hand."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper


@pytest.fixture
def linear(tmp_path: Path) -> Callable[..., Path]:
    """Write a model that multiplies its input `features` (N, F) by weights (F, K): `answer` (N, K)."""

    def build(weights: NDArray[Any], *, rows: int | str = "rows") -> Path:
        features, classes = weights.shape
        graph = helper.make_graph(
            [helper.make_node("MatMul", ["features", "weights"], ["answer"])],
            "linear",
            [helper.make_tensor_value_info("features", TensorProto.FLOAT, [rows, features])],
            [helper.make_tensor_value_info("answer", TensorProto.FLOAT, [rows, classes])],
            [numpy_helper.from_array(weights.astype(np.float32), "weights")],
        )
        path = tmp_path / f"linear-{features}-{classes}-{rows}.onnx"
        onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10), path)
        return path

    return build


@pytest.fixture
def echo(tmp_path: Path) -> Path:
    """A model of two inputs, words and numbers, that gives back both."""
    graph = helper.make_graph(
        [
            helper.make_node("Identity", ["word"], ["same_word"]),
            helper.make_node("Identity", ["number"], ["same_number"]),
        ],
        "echo",
        [
            helper.make_tensor_value_info("word", TensorProto.STRING, ["rows"]),
            helper.make_tensor_value_info("number", TensorProto.FLOAT, ["rows"]),
        ],
        [
            helper.make_tensor_value_info("same_word", TensorProto.STRING, ["rows"]),
            helper.make_tensor_value_info("same_number", TensorProto.FLOAT, ["rows"]),
        ],
    )
    path = tmp_path / "echo.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10), path)
    return path
