"""Single rows are timed, as they would come one by one."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from lampyris.domain.signature import Signature, TensorSpec
from lampyris.errors import UnsupportedModel
from lampyris.publishing.latency import measure_latency, single_row
from lampyris.serving.runtime import open_session

ROWS = np.arange(12, dtype=np.float32).reshape(3, 4)


def spec(name: str, *shape: int) -> TensorSpec:
    return TensorSpec(name=name, datatype="FP32", shape=shape)


def test_one_row_is_taken_where_the_signature_leaves_their_number_open() -> None:
    signature = Signature(inputs=(spec("rows", -1, 4), spec("fixed", 3, 4), spec("scalar")), outputs=())
    inputs = {"rows": ROWS, "fixed": ROWS, "scalar": np.array(1, np.float32)}

    row = single_row(signature, inputs)

    assert {name: values.shape for name, values in row.items()} == {
        "rows": (1, 4),
        "fixed": (3, 4),
        "scalar": (),
    }
    np.testing.assert_array_equal(row["rows"], ROWS[:1])


def test_quick_model_is_timed_often_enough_for_its_slowest_runs_to_count(
    mlp: Callable[..., onnx.ModelProto], folder: Path
) -> None:
    (folder / "model.onnx").write_bytes(mlp(4, 8, 3).SerializeToString())
    session = open_session(folder / "model.onnx", threads=1)

    latency = measure_latency(session, {"x": ROWS[:1]})

    assert latency.keys() == {"latency_p50_ms", "latency_p99_ms"}
    assert 0 < latency["latency_p50_ms"] <= latency["latency_p99_ms"]


def test_model_that_does_not_run_on_the_inputs_is_told(
    model_of: Callable[..., onnx.ModelProto], folder: Path
) -> None:
    x, y = (helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", 4]) for name in "xy")
    model = model_of([helper.make_node("Relu", ["x"], ["y"])], [x], [y])
    (folder / "model.onnx").write_bytes(model.SerializeToString())

    with pytest.raises(UnsupportedModel):
        measure_latency(open_session(folder / "model.onnx", threads=1), {"z": ROWS})
