import math
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from lampyris.domain.signature import Signature, TensorSpec
from lampyris.errors import DeadlineExceeded, InferenceFailed, InvalidTensor, ModelLoading
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


@pytest.fixture
def publish_endless(publish: Any) -> Any:
    """Publish a model that counts to `times`, however long that takes."""

    def scalar(name: str, kind: int) -> onnx.ValueInfoProto:
        return helper.make_tensor_value_info(name, kind, [])

    body = helper.make_graph(
        [helper.make_node("Identity", ["go"], ["go_on"]), helper.make_node("Add", ["x", "one"], ["y"])],
        "body",
        [scalar("i", TensorProto.INT64), scalar("go", TensorProto.BOOL), scalar("x", TensorProto.FLOAT)],
        [scalar("go_on", TensorProto.BOOL), scalar("y", TensorProto.FLOAT)],
        [numpy_helper.from_array(np.array(1, np.float32), "one")],
    )
    graph = helper.make_graph(
        [helper.make_node("Loop", ["times", "", "start"], ["count"], body=body)],
        "endless",
        [scalar("times", TensorProto.INT64), scalar("start", TensorProto.FLOAT)],
        [scalar("count", TensorProto.FLOAT)],
    )
    signature = Signature(
        inputs=(
            TensorSpec(name="times", datatype="INT64", shape=()),
            TensorSpec(name="start", datatype="FP32", shape=()),
        ),
        outputs=(TensorSpec(name="count", datatype="FP32", shape=()),),
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return lambda: publish("endless", model=model, signature=signature)


def count(times: int) -> dict[str, Any]:
    return {"times": np.array(times), "start": np.array(0, np.float32)}


def test_a_run_that_never_ends_is_ended_and_the_next_is_served(
    publish_endless: Any, inference: Inference
) -> None:
    manifest = publish_endless()
    inference.run(manifest, count(1), deadline_s=math.inf)

    for _ in range(2):
        with pytest.raises(DeadlineExceeded, match="'endless' did not answer in the time"):
            inference.run(manifest, count(2**62), deadline_s=perf_counter() + 0.05)
        answer = inference.run(manifest, count(3), deadline_s=perf_counter() + 60)
        assert answer.outputs["count"] == 3

    assert answer.cold is False


def test_runs_side_by_side_end_by_their_own_deadlines(publish_endless: Any, inference: Inference) -> None:
    manifest = publish_endless()
    inference.load(manifest, deadline_s=math.inf)

    def run(times: int, left_s: float) -> float | None:
        try:
            outputs = inference.run(manifest, count(times), deadline_s=perf_counter() + left_s).outputs
        except DeadlineExceeded:
            return None
        return float(outputs["count"])

    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(run, [2**62, 5, 2**62, 7, 2**62, 9], [0.05, 60, 0.1, 60, 0.01, 60]))

    assert answers == [None, 5, None, 7, None, 9]
    assert inference._watchdog._runs == {}


def test_a_model_that_is_still_loading_says_so(
    publish_linear: Any, inference: Inference, watched: Any
) -> None:
    manifest = publish_linear()
    watched.open.clear()

    with pytest.raises(ModelLoading):
        inference.run(manifest, {"features": FEATURES}, deadline_s=perf_counter() + 0.01)

    watched.open.set()
    assert inference.run(manifest, {"features": FEATURES}, deadline_s=perf_counter() + 60).outputs


def test_only_the_outputs_that_were_asked_for_are_computed(publish_linear: Any, inference: Inference) -> None:
    prediction = inference.run(publish_linear(), {"features": FEATURES}, deadline_s=math.inf, outputs=("p",))

    assert list(prediction.outputs) == ["p"]
