import shutil
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper

from lampyris_build.compression.tidying import tidy
from lampyris_build.data.dataset import Dataset
from lampyris_build.evaluation.session import open_session, run
from lampyris_build.export import OPSET, _Answers, _quiet_exporter
from lampyris_build.tasks.task import as_tensors
from lampyris_build.trained import TrainedNetwork


@pytest.fixture(scope="module")
def untidy(trained: TrainedNetwork, dataset: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What torch's exporter writes."""
    path = tmp_path_factory.mktemp("untidy") / "untidy.onnx"
    example = as_tensors(dataset.test.take(slice(0, 2)).inputs)
    with _quiet_exporter():
        torch.onnx.export(
            _Answers(trained.learner).eval(),
            example,
            path,
            input_names=["image"],
            dynamo=True,
            opset_version=OPSET,
            external_data=False,
            verbose=False,
            dynamic_shapes=(({0: torch.export.Dim("batch")},),),
        )
    return path


@pytest.fixture
def tidied(untidy: Path, tmp_path: Path) -> Path:
    path = tmp_path / "tidied.onnx"
    shutil.copy(untidy, path)
    tidy(path)
    return path


def branching() -> onnx.ModelProto:
    """A model whose branches take `shared` and `offset` from outside."""
    branches = {
        name: helper.make_graph(
            [helper.make_node(operator, ["shared", "offset"], [f"{name}_answer"])],
            name,
            [],
            [helper.make_tensor_value_info(f"{name}_answer", TensorProto.FLOAT, None)],
        )
        for name, operator in {"then_branch": "Add", "else_branch": "Sub"}.items()
    }
    graph = helper.make_graph(
        [
            helper.make_node("Mul", ["x", "x"], ["shared"]),
            helper.make_node("ReduceSum", ["x"], ["sum"], keepdims=0),
            helper.make_node("Greater", ["sum", "zero"], ["positive"]),
            helper.make_node("If", ["positive"], ["y"], **branches),
        ],
        "branching",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n"])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n"])],
        [
            numpy_helper.from_array(np.array(1, np.float32), "offset"),
            numpy_helper.from_array(np.array(0, np.float32), "zero"),
        ],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)


def test_answers_are_the_same_to_the_last_bit(untidy: Path, tidied: Path, dataset: Dataset) -> None:
    before, after = (run(open_session(path), dataset.test.inputs)[0] for path in (untidy, tidied))

    np.testing.assert_array_equal(before, after)


def test_a_file_loses_kilobytes(untidy: Path, tidied: Path) -> None:
    assert tidied.stat().st_size < untidy.stat().st_size - 1500


def test_inputs_and_outputs_keep_their_names_and_shapes(untidy: Path, tidied: Path) -> None:
    before, after = (open_session(path) for path in (untidy, tidied))

    assert [(one.name, one.type, one.shape) for one in after.get_inputs()] == [
        (one.name, one.type, one.shape) for one in before.get_inputs()
    ]
    assert [(one.name, one.type) for one in after.get_outputs()] == [
        (one.name, one.type) for one in before.get_outputs()
    ]


def test_it_stays_valid_onnx_and_is_tidy_at_once(tidied: Path) -> None:
    once = tidied.read_bytes()

    tidy(tidied)

    onnx.checker.check_model(str(tidied), full_check=True)
    assert tidied.read_bytes() == once


def test_equal_constants_become_one(tmp_path: Path) -> None:
    ones = np.ones(1000, np.float32)
    graph = helper.make_graph(
        [helper.make_node("Add", ["x", "first"], ["sum"]), helper.make_node("Mul", ["sum", "second"], ["y"])],
        "twice",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1000])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1000])],
        [numpy_helper.from_array(ones, name) for name in ("first", "second")],
    )
    path = tmp_path / "twice.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10), path)

    tidy(path)

    assert path.stat().st_size < 5000
    np.testing.assert_array_equal(open_session(path).run(None, {"x": ones})[0], 2 * ones)


def test_what_branches_take_from_outside_keeps_its_name(tmp_path: Path) -> None:
    path = tmp_path / "branching.onnx"
    onnx.save(branching(), path)

    tidy(path)

    session = open_session(path)
    np.testing.assert_array_equal(session.run(None, {"x": np.array([3], np.float32)})[0], [10])
    np.testing.assert_array_equal(session.run(None, {"x": np.array([-3], np.float32)})[0], [8])


def test_what_holds_anyway_is_not_said(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    graph = helper.make_graph(
        [
            helper.make_node("DequantizeLinear", ["bias", "scale", "zero"], ["b"], axis=0),
            helper.make_node("Conv", ["x", "w", "b"], ["c"], group=1, dilations=[1, 1], pads=[1, 1, 1, 1]),
            helper.make_node("Conv", ["c", "w", "b"], ["y"], dilations=[2, 2], auto_pad="NOTSET"),
        ],
        "convolutions",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 2, 8, 8])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [
            numpy_helper.from_array(rng.standard_normal((2, 2, 3, 3), np.float32), "w"),
            numpy_helper.from_array(np.array([3, -4], np.int32), "bias"),
            numpy_helper.from_array(np.array([0.5, 0.25], np.float32), "scale"),
            numpy_helper.from_array(np.zeros(2, np.int32), "zero"),
        ],
    )
    path = tmp_path / "model.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=10), path)
    asked = {"x": rng.standard_normal((3, 2, 8, 8), np.float32)}
    before = run(open_session(path), asked)

    tidy(path)

    tidied = onnx.load(path).graph
    assert [[one.name for one in node.attribute] for node in tidied.node] == [
        ["axis"],
        ["pads"],
        ["dilations"],
    ]
    assert len(tidied.initializer) == 3
    np.testing.assert_array_equal(run(open_session(path), asked)[0], before[0])
