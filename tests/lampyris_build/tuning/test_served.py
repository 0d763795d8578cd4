from pathlib import Path

import numpy as np

from lampyris.domain.signature import Signature, TensorSpec
from lampyris_build.data.dataset import Dataset
from lampyris_build.trained import TrainedNetwork
from lampyris_build.tuning.served import measure_served


def test_whole_requests_are_timed_and_the_process_is_weighed(
    fp32: Path, trained: TrainedNetwork, dataset: Dataset
) -> None:
    served = measure_served(fp32, trained.signature, dataset.test.inputs)

    assert len(served.durations_ms) >= 20
    assert min(served.durations_ms) > 0
    assert 20e6 < served.held_bytes < 1e9


def test_words_and_missing_numbers_are_sent_as_callers_send_them(tmp_path: Path) -> None:
    import onnx
    from onnx import TensorProto, helper

    nodes = [
        helper.make_node("Identity", ["age"], ["same_age"]),
        helper.make_node("Identity", ["town"], ["same_town"]),
    ]
    graph = helper.make_graph(
        nodes,
        "table",
        [
            helper.make_tensor_value_info("age", TensorProto.FLOAT, ["n"]),
            helper.make_tensor_value_info("town", TensorProto.STRING, ["n"]),
        ],
        [
            helper.make_tensor_value_info("same_age", TensorProto.FLOAT, ["n"]),
            helper.make_tensor_value_info("same_town", TensorProto.STRING, ["n"]),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, tmp_path / "table.onnx")
    signature = Signature(
        inputs=(
            TensorSpec(name="age", datatype="FP32", shape=(-1,)),
            TensorSpec(name="town", datatype="BYTES", shape=(-1,)),
        ),
        outputs=(
            TensorSpec(name="same_age", datatype="FP32", shape=(-1,)),
            TensorSpec(name="same_town", datatype="BYTES", shape=(-1,)),
        ),
    )
    inputs = {"age": np.array([np.nan, 3], np.float32), "town": np.array(["Ulm", ""], object)}

    assert measure_served(tmp_path / "table.onnx", signature, inputs).durations_ms
