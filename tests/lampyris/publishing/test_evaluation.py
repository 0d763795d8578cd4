"""How often models are right on a bundle's test set, measured with real ones."""

from collections.abc import Callable
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from lampyris.domain.signature import Signature, TensorSpec
from lampyris.errors import CorruptBundle, UnsupportedModel
from lampyris.publishing.confinement import LIVE_FOLDER
from lampyris.publishing.evaluation import evaluate
from lampyris.serving.fetch import GRAPH_FILE
from lampyris.serving.runtime import open_session

LIMIT_BYTES = 10_000_000
ROWS, CLASSES = 200, 3
SIGNATURE = Signature(
    inputs=(TensorSpec(name="x", datatype="FP32", shape=(-1, CLASSES)),),
    outputs=(TensorSpec(name="y", datatype="FP32", shape=(-1, CLASSES)),),
)

ModelOf = Callable[..., onnx.ModelProto]


def one_hot(classes: np.ndarray) -> np.ndarray:
    """Make inputs whose class is their largest value."""
    inputs: np.ndarray = np.eye(CLASSES, dtype=np.float32)[classes]
    return inputs


@pytest.fixture
def labels() -> np.ndarray:
    return np.random.default_rng(0).integers(0, CLASSES, ROWS)


@pytest.fixture
def turning(model_of: ModelOf) -> Callable[..., onnx.ModelProto]:
    """Make a model that finds the class after the right one, or `by` further; 0 finds the right one."""

    def build(by: int, *, classes: int = CLASSES, name: str = "x") -> onnx.ModelProto:
        weights = np.roll(np.eye(CLASSES, classes, dtype=np.float32), by, axis=1)
        return model_of(
            [helper.make_node("MatMul", [name, "w"], ["y"])],
            [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", CLASSES])],
            [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", classes])],
            [numpy_helper.from_array(weights, "w")],
        )

    return build


def measure(
    folder: Path,
    model: onnx.ModelProto,
    *,
    deadline_s: float = float("inf"),
    signature: Signature = SIGNATURE,
) -> dict[str, float]:
    (folder / GRAPH_FILE).write_bytes(model.SerializeToString())
    session = open_session(folder / GRAPH_FILE, threads=1)
    return evaluate(folder, session, signature, limit_bytes=LIMIT_BYTES, deadline_s=deadline_s)


def put_live(folder: Path, model: onnx.ModelProto) -> None:
    (folder / LIVE_FOLDER).mkdir()
    (folder / LIVE_FOLDER / GRAPH_FILE).write_bytes(model.SerializeToString())


def put_test_set(folder: Path, labels: np.ndarray, inputs: np.ndarray | None = None) -> None:
    np.savez(folder / "evaluation.npz", x=one_hot(labels) if inputs is None else inputs, labels=labels)


def test_without_a_test_set_nothing_is_measured(
    folder: Path, turning: Callable[..., onnx.ModelProto]
) -> None:
    put_live(folder, turning(0))

    assert measure(folder, turning(0)) == {}


def test_accuracy_is_the_share_of_rows_whose_largest_value_is_their_class(
    folder: Path, turning: Callable[..., onnx.ModelProto], labels: np.ndarray
) -> None:
    inputs = one_hot(labels)
    inputs[:50] = one_hot((labels[:50] + 1) % CLASSES)
    put_test_set(folder, labels, inputs)

    assert measure(folder, turning(0)) == {"accuracy": 0.75, "samples": 200.0}


def test_bundle_that_lies_about_its_accuracy_is_measured(
    folder: Path, turning: Callable[..., onnx.ModelProto], labels: np.ndarray
) -> None:
    put_test_set(folder, labels)

    assert measure(folder, turning(1))["accuracy"] == 0


def test_model_before_its_compression_and_the_live_one_answer_the_same_rows(
    folder: Path, turning: Callable[..., onnx.ModelProto], labels: np.ndarray
) -> None:
    inputs = one_hot(labels)
    inputs[:20] = one_hot((labels[:20] + 1) % CLASSES)
    put_test_set(folder, labels, inputs)
    (folder / "reference.onnx").write_bytes(turning(0).SerializeToString())
    put_live(folder, turning(2))  # right where the inputs are one too far

    measured = measure(folder, turning(1))

    assert measured == {"accuracy": 0, "samples": 200, "accuracy_fp32": 0.9, "accuracy_live": 0.1}


def test_answer_that_is_not_a_number_is_wrong(
    folder: Path, turning: Callable[..., onnx.ModelProto], labels: np.ndarray
) -> None:
    inputs = one_hot(labels)
    inputs[:20] = np.nan
    put_test_set(folder, labels, inputs)

    assert measure(folder, turning(0))["accuracy"] == 0.9


@pytest.mark.parametrize("worst", [-1, 3])
def test_class_that_the_model_does_not_know_is_refused(
    folder: Path, turning: Callable[..., onnx.ModelProto], worst: int
) -> None:
    put_test_set(folder, np.array([0, 1, worst]), one_hot(np.array([0, 1, 2])))

    with pytest.raises(CorruptBundle, match=rf"labels go .*{worst}.*; for 3 classes they go from 0 to 2"):
        measure(folder, turning(0))


def first_output(model_of: ModelOf, *nodes: onnx.NodeProto) -> onnx.ModelProto:
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", CLASSES])
    y = onnx.ValueInfoProto()
    y.name = "y"
    return onnx.shape_inference.infer_shapes(model_of(list(nodes), [x], [y]))


@pytest.mark.parametrize(
    ("nodes", "came"),
    [
        (
            [helper.make_node("ArgMax", ["x"], ["y"], axis=1, keepdims=0)],
            r"for 64 rows 'y' is int64 of shape \[64\]",
        ),
        ([helper.make_node("ArgMax", ["x"], ["y"], axis=1)], r"'y' is int64 of shape \[64, 1\]"),
        ([helper.make_node("Transpose", ["x"], ["y"])], r"'y' is float32 of shape \[3, 64\]"),
        ([helper.make_node("Cast", ["x"], ["y"], to=TensorProto.BOOL)], "'y' is bool of shape"),
        ([helper.make_node("Cast", ["x"], ["y"], to=TensorProto.STRING)], "'y' is object of shape"),
    ],
)
def test_model_that_is_no_classifier_has_no_accuracy(
    folder: Path, model_of: ModelOf, labels: np.ndarray, nodes: list[onnx.NodeProto], came: str
) -> None:
    put_test_set(folder, labels)

    with pytest.raises(CorruptBundle, match=f"needs a classifier, .* {came}"):
        measure(folder, first_output(model_of, *nodes))


def test_output_that_the_signature_names_first_is_asked(
    folder: Path, model_of: ModelOf, labels: np.ndarray
) -> None:
    put_test_set(folder, labels)
    x, y = (helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", CLASSES]) for name in "xy")
    wrong = helper.make_tensor_value_info("wrong", TensorProto.FLOAT, ["n", CLASSES])
    nodes = [helper.make_node("Neg", ["x"], ["wrong"]), helper.make_node("Identity", ["x"], ["y"])]

    assert measure(folder, model_of(nodes, [x], [wrong, y]))["accuracy"] == 1


def test_model_that_cannot_run_on_the_test_set_is_refused_in_onnxruntimes_words(
    folder: Path, model_of: ModelOf, labels: np.ndarray
) -> None:
    put_test_set(folder, labels)
    x, y = (helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", CLASSES]) for name in "xy")
    shape = numpy_helper.from_array(np.array([1, CLASSES]), "shape")  # a single row only

    with pytest.raises(UnsupportedModel, match=r"cannot run the model on evaluation\.npz: .*Reshape"):
        measure(folder, model_of([helper.make_node("Reshape", ["x", "shape"], ["y"])], [x], [y], [shape]))


@pytest.mark.parametrize(
    ("reference", "reason"),
    [
        (lambda turning: b"\x80pickle", r"reference\.onnx: The file is not an ONNX model: it is a pickle"),
        (
            lambda turning: turning(0, name="z").SerializeToString(),
            r"reference\.onnx: onnxruntime cannot run",
        ),
        (
            lambda turning: turning(0, classes=4).SerializeToString(),
            r"reference\.onnx: it tells 4 classes apart, model\.onnx 3",
        ),
    ],
)
def test_model_before_its_compression_is_looked_at_as_the_model_is(
    folder: Path,
    turning: Callable[..., onnx.ModelProto],
    labels: np.ndarray,
    reference: Callable[[Any], bytes],
    reason: str,
) -> None:
    put_test_set(folder, labels)
    (folder / "reference.onnx").write_bytes(reference(turning))

    with pytest.raises(CorruptBundle, match=reason):
        measure(folder, turning(0))


def test_data_outside_the_model_before_its_compression_are_not_read(
    folder: Path, turning: Callable[..., onnx.ModelProto], labels: np.ndarray
) -> None:
    put_test_set(folder, labels)
    model = turning(0)
    (folder / "secret.bin").write_bytes(model.graph.initializer[0].raw_data)
    onnx.external_data_helper.set_external_data(model.graph.initializer[0], "secret.bin")
    model.graph.initializer[0].ClearField("raw_data")
    (folder / "reference.onnx").write_bytes(model.SerializeToString())

    with pytest.raises(CorruptBundle, match="'w' keeps its data in another file"):
        measure(folder, turning(0))


@pytest.mark.parametrize("live", [{"by": 0, "name": "z"}, {"by": 0, "classes": 4}])
def test_live_version_of_another_signature_is_not_compared(
    folder: Path, turning: Callable[..., onnx.ModelProto], labels: np.ndarray, live: dict[str, Any]
) -> None:
    put_test_set(folder, labels)
    put_live(folder, turning(**live))

    assert measure(folder, turning(0)) == {"accuracy": 1, "samples": 200}


def test_live_version_that_cannot_be_loaded_is_not_compared(
    folder: Path, turning: Callable[..., onnx.ModelProto], labels: np.ndarray
) -> None:
    put_test_set(folder, labels)
    put_live(folder, turning(0))
    (folder / LIVE_FOLDER / GRAPH_FILE).write_bytes(b"damaged")

    assert measure(folder, turning(0)) == {"accuracy": 1, "samples": 200}


def endless_unless_it_is_zero(model_of: ModelOf) -> onnx.ModelProto:
    """Make a model that answers zeros at once, and anything else never."""
    body = helper.make_graph(
        [helper.make_node("Identity", ["go"], ["go_on"]), helper.make_node("Identity", ["v"], ["next"])],
        "body",
        [
            helper.make_tensor_value_info("i", TensorProto.INT64, []),
            helper.make_tensor_value_info("go", TensorProto.BOOL, []),
            helper.make_tensor_value_info("v", TensorProto.FLOAT, ["n", CLASSES]),
        ],
        [
            helper.make_tensor_value_info("go_on", TensorProto.BOOL, []),
            helper.make_tensor_value_info("next", TensorProto.FLOAT, ["n", CLASSES]),
        ],
    )
    return model_of(
        [
            helper.make_node("ReduceMax", ["x"], ["most"], keepdims=0),
            helper.make_node("Cast", ["most"], ["go"], to=TensorProto.BOOL),
            helper.make_node("Loop", ["trips", "go", "x"], ["y"], body=body),
        ],
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", CLASSES])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", CLASSES])],
        [numpy_helper.from_array(np.array(2**62), "trips")],
    )


def test_test_set_that_takes_too_long_is_refused_with_what_to_do(
    folder: Path, model_of: ModelOf, labels: np.ndarray
) -> None:
    put_test_set(folder, labels)

    with pytest.raises(CorruptBundle, match=r"has 200 rows, which take longer than a trial may; keep fewer"):
        measure(folder, endless_unless_it_is_zero(model_of), deadline_s=perf_counter() + 0.2)


def test_live_version_that_takes_too_long_is_not_compared(
    folder: Path, model_of: ModelOf, turning: Callable[..., onnx.ModelProto], labels: np.ndarray
) -> None:
    put_test_set(folder, labels)
    put_live(folder, endless_unless_it_is_zero(model_of))

    assert "accuracy_live" not in measure(folder, turning(0), deadline_s=perf_counter() + 1)


def test_fixed_number_of_rows_is_evaluated_as_the_model_takes_it(
    folder: Path, model_of: ModelOf, labels: np.ndarray
) -> None:
    put_test_set(folder, labels)
    x, y = (helper.make_tensor_value_info(name, TensorProto.FLOAT, [2, CLASSES]) for name in "xy")
    signature = Signature(
        inputs=(TensorSpec(name="x", datatype="FP32", shape=(2, CLASSES)),),
        outputs=(TensorSpec(name="y", datatype="FP32", shape=(2, CLASSES)),),
    )

    measured = measure(
        folder, model_of([helper.make_node("Relu", ["x"], ["y"])], [x], [y]), signature=signature
    )

    assert measured == {"accuracy": 1, "samples": 200}


def test_accuracy_is_what_onnxruntime_gives_on_all_rows_at_once(
    folder: Path, mlp: Callable[..., onnx.ModelProto], labels: np.ndarray
) -> None:
    model = mlp(CLASSES, 8, CLASSES)
    inputs = np.random.default_rng(1).normal(size=(ROWS, CLASSES)).astype(np.float32)
    put_test_set(folder, labels, inputs)
    reference = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])

    measured = measure(folder, model)

    (answers,) = reference.run(None, {"x": inputs})
    assert measured["accuracy"] == (answers.argmax(axis=1) == labels).mean()
