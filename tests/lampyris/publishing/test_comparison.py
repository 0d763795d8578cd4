"""One form of a model against another."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from lampyris.publishing.comparison import speedup
from lampyris.serving.runtime import open_session

WIDTH = 500
Open = Callable[..., onnxruntime.InferenceSession]


@pytest.fixture
def adding(model_of: Callable[..., onnx.ModelProto], tmp_path: Path) -> Open:
    """Make a model that adds `offset` to a row, and then multiplies it `detours` times by the unit matrix."""

    def open_one(
        offset: float = 0.0, *, detours: int = 0, width: int = WIDTH
    ) -> onnxruntime.InferenceSession:
        nodes = [helper.make_node("Add", ["x", "offset"], ["v0"])]
        nodes += [helper.make_node("MatMul", [f"v{i}", "unit"], [f"v{i + 1}"]) for i in range(detours)]
        nodes += [helper.make_node("Identity", [f"v{detours}"], ["y"])]
        constants = {"offset": np.full(width, offset, np.float32), "unit": np.eye(width, dtype=np.float32)}
        model = model_of(
            nodes,
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", width])],
            [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", width])],
            [numpy_helper.from_array(value, name) for name, value in constants.items()],
        )
        onnx.save(model, tmp_path / "model.onnx")
        return open_session(tmp_path / "model.onnx", threads=1)

    return open_one


ROW = {"x": np.linspace(-1, 1, WIDTH, dtype=np.float32)[None]}


def test_form_that_does_the_same_with_less_is_faster(adding: Open) -> None:
    long_way, straight = adding(detours=20), adding()

    there, back = speedup(long_way, straight, ROW), speedup(straight, long_way, ROW)

    assert there is not None
    assert back is not None
    assert there > 1 > back


@pytest.mark.parametrize(("offset", "agrees"), [(1e-6, True), (1e-3, False), (np.nan, False)])
def test_form_that_answers_otherwise_is_no_form_of_the_model(
    adding: Open, offset: float, *, agrees: bool
) -> None:
    gain = speedup(adding(), adding(offset), ROW)

    assert (gain is not None) is agrees


def test_small_elements_may_differ_by_what_large_ones_round(adding: Open) -> None:
    large = {"x": np.array([[1e6, 0.0]], np.float32)}

    assert speedup(adding(width=2), adding(1.0, width=2), large) is not None
    assert speedup(adding(width=2), adding(1e3, width=2), large) is None


def test_answer_that_is_no_number_agrees_with_itself(adding: Open) -> None:
    assert speedup(adding(np.nan), adding(np.nan), ROW) is not None
