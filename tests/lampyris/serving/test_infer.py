import math
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from lampyris.domain.signature import Signature, TensorSpec
from lampyris.errors import InferenceFailed, InvalidTensor
from lampyris.serving.infer import Inference
from lampyris.serving.sessions import Sessions

FEATURES = np.ones((2, 8), np.float32)


@pytest.fixture
def inference(watched: Any, tmp_path: Path) -> Inference:
    sessions = Sessions(watched, folder=tmp_path, memory_mb=512, clock=perf_counter)
    return Inference(sessions, clock=perf_counter)


def test_a_prediction_says_who_made_it_and_whether_it_was_cold(
    publish_linear: Any, inference: Inference
) -> None:
    manifest = publish_linear()

    first = inference.run(manifest, {"features": FEATURES}, deadline_s=math.inf)
    second = inference.run(manifest, {"features": FEATURES}, deadline_s=math.inf)

    assert (first.cold, second.cold) == (True, False)
    assert first.manifest.version == 1
    np.testing.assert_allclose(first.outputs["p"].sum(axis=1), [1, 1], rtol=1e-6)
    np.testing.assert_array_equal(first.outputs["p"], second.outputs["p"])


def test_nonsense_is_refused_before_a_session_exists(
    publish_linear: Any, inference: Inference, watched: Any
) -> None:
    manifest = publish_linear()

    with pytest.raises(InvalidTensor):
        inference.run(manifest, {"features": FEATURES[:, :3]}, deadline_s=math.inf)

    assert watched.reads == []


def test_a_run_that_fails_inside_onnxruntime_is_the_models_failure(
    publish: Any, inference: Inference
) -> None:
    graph = helper.make_graph(
        [helper.make_node("Reshape", ["x", "shape"], ["y"])],
        "fragile",
        [
            helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n"]),
            helper.make_tensor_value_info("shape", TensorProto.INT64, ["rank"]),
        ],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
    )
    signature = Signature(
        inputs=(
            TensorSpec(name="x", datatype="FP32", shape=(-1,)),
            TensorSpec(name="shape", datatype="INT64", shape=(-1,)),
        ),
        outputs=(TensorSpec(name="y", datatype="FP32", shape=()),),
    )
    model: onnx.ModelProto = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8
    )
    manifest = publish("fragile", model=model, signature=signature)
    inputs = {"x": np.zeros(5, np.float32), "shape": np.array([2, 2])}

    with pytest.raises(InferenceFailed, match="'fragile' failed"):
        inference.run(manifest, inputs, deadline_s=math.inf)
