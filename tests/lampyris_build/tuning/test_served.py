import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from lampyris.domain.signature import Signature, TensorSpec
from lampyris_build.tuning.served import Served, measure_served


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Served:
    """A table's first row goes through: a word, and a number that is missing."""
    nodes = [helper.make_node("Identity", [name], [f"same_{name}"]) for name in ("age", "town")]
    types = {"age": TensorProto.FLOAT, "town": TensorProto.STRING}
    inputs = [helper.make_tensor_value_info(name, type_, ["n"]) for name, type_ in types.items()]
    outputs = [helper.make_tensor_value_info(f"same_{name}", type_, ["n"]) for name, type_ in types.items()]
    graph = helper.make_graph(nodes, "table", inputs, outputs)
    path = tmp_path_factory.mktemp("served") / "table.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
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
    rows = {"age": np.array([np.nan, 3], np.float32), "town": np.array(["Ulm", ""], object)}
    return measure_served(path, signature, rows)


def test_requests_with_words_and_missing_numbers_are_answered_and_timed(served: Served) -> None:
    assert len(served.durations_ms) >= 20
    assert min(served.durations_ms) > 0


def test_process_is_weighed_with_all_that_the_function_imports(served: Served) -> None:
    assert 20e6 < served.held_bytes < 1e9
