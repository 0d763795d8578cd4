from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from lampyris_build.data.dataset import Dataset, Feature, Samples
from lampyris_build.errors import InvalidRecipe
from lampyris_build.evaluation.session import open_session, run
from lampyris_build.imports import import_model
from lampyris_build.recipe import Recipe
from lampyris_build.recipe.reading import recipe_of
from lampyris_build.tasks import task_for
from lampyris_build.trained import Trained

CLASSES = ("no", "perhaps", "yes")
WEIGHTS = np.random.default_rng(0).normal(size=(4, 3)).astype(np.float32)
Shape = Sequence[int | str]


def _value(name: str, kind: int, shape: Shape) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, kind, shape)


def _save(
    path: Path,
    nodes: Sequence[tuple[str, list[str], list[str]]],
    *,
    inputs: Sequence[onnx.ValueInfoProto],
    outputs: Sequence[onnx.ValueInfoProto],
    weights: np.ndarray[Any, Any] = WEIGHTS,
) -> Path:
    graph = helper.make_graph(
        [helper.make_node(*node) for node in nodes],
        "own",
        inputs,
        outputs,
        [numpy_helper.from_array(weights, "W")],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), path)
    return path


def _linear(
    path: Path, *, taken: Shape = ("N", 4), given: str = "logits", kind: int = TensorProto.FLOAT
) -> Path:
    return _save(
        path,
        [("MatMul", ["x", "W"], [given])],
        inputs=[_value("x", kind, taken)],
        outputs=[_value(given, TensorProto.FLOAT, ("N", 3))],
    )


def _recipe(path: Path, **tables: Any) -> Recipe:
    document = {"name": "own", "dataset": {"source": "sklearn", "name": "iris"}}
    return recipe_of(document | {"model": {"architecture": "onnx", "path": str(path)}} | tables, "own")


def _dataset(inputs: dict[str, Any], classes: tuple[str, ...] | None = CLASSES) -> Dataset:
    count = len(next(iter(inputs.values())))
    targets = np.arange(count, dtype=np.float32) if classes is None else np.arange(count) % len(classes)
    samples = Samples(inputs=inputs, targets=targets)
    table = next(iter(inputs.values())).ndim == 1
    return Dataset(
        name="own",
        digest="0" * 64,
        features=tuple(
            Feature(name=name, kind="number" if table else "vector", shape=values.shape[1:])
            for name, values in inputs.items()
        ),
        classes=classes,
        train=samples,
        validation=samples,
        test=samples,
    )


@pytest.fixture
def vectors() -> Dataset:
    return _dataset({"features": np.random.default_rng(1).normal(size=(20, 4)).astype(np.float32)})


def _import(path: Path, dataset: Dataset, **tables: Any) -> Trained:
    recipe = _recipe(path, **tables)
    return import_model(recipe, dataset, task_for(recipe, dataset))


def _agrees(trained: Trained, dataset: Dataset, out: Path) -> np.ndarray[Any, Any]:
    """Return what the exported model answers, having seen that it is what the imported one does."""
    trained.export(out)
    (answers,) = run(open_session(out), dataset.test.inputs)
    (expected,) = trained.predict(dataset.test.inputs)
    np.testing.assert_allclose(answers, expected, atol=1e-6)
    return answers


def test_logits_become_probabilities_under_the_datasets_names(vectors: Dataset, tmp_path: Path) -> None:
    trained = _import(_linear(tmp_path / "own.onnx"), vectors)

    answers = _agrees(trained, vectors, tmp_path / "out.onnx")

    session = open_session(tmp_path / "out.onnx")
    logits = vectors.test.inputs["features"] @ WEIGHTS
    expected = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(answers, expected, atol=1e-6)
    assert [one.name for one in (*session.get_inputs(), *session.get_outputs())] == [
        "features",
        "probabilities",
    ]
    assert trained.signature.labels == CLASSES


def test_probabilities_stay_as_they_are(vectors: Dataset, tmp_path: Path) -> None:
    path = _save(
        tmp_path / "own.onnx",
        [("MatMul", ["x", "W"], ["y"]), ("Softmax", ["y"], ["p"]), ("ArgMax", ["p"], ["label"])],
        inputs=[_value("x", TensorProto.FLOAT, ("N", 4))],
        outputs=[_value("label", TensorProto.INT64, ("N", 1)), _value("p", TensorProto.FLOAT, ("N", 3))],
    )

    answers = _agrees(_import(path, vectors), vectors, tmp_path / "out.onnx")

    logits = vectors.test.inputs["features"] @ WEIGHTS
    np.testing.assert_allclose(answers, np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True), atol=1e-6)


def test_probability_of_the_second_of_two_classes_becomes_both(tmp_path: Path) -> None:
    inputs = {"features": np.random.default_rng(1).normal(size=(20, 4)).astype(np.float32)}
    dataset = _dataset(inputs, ("no", "yes"))
    path = _save(
        tmp_path / "own.onnx",
        [("MatMul", ["x", "W"], ["y"]), ("Sigmoid", ["y"], ["p"])],
        inputs=[_value("x", TensorProto.FLOAT, ("N", 4))],
        outputs=[_value("p", TensorProto.FLOAT, ("N", 1))],
        weights=WEIGHTS[:, :1],
    )

    answers = _agrees(_import(path, dataset), dataset, tmp_path / "out.onnx")

    second = 1 / (1 + np.exp(-inputs["features"] @ WEIGHTS[:, 0]))
    np.testing.assert_allclose(answers, np.stack([1 - second, second], axis=1), atol=1e-6)


def test_numbers_of_columns_reach_inputs_of_another_type_and_an_axis_of_one(tmp_path: Path) -> None:
    inputs = {name: np.arange(5, dtype=np.float32) + place for place, name in enumerate(("age", "fare"))}
    dataset = _dataset(inputs, None)
    path = _save(
        tmp_path / "own.onnx",
        [("Mul", ["fare", "W"], ["scaled"]), ("Add", ["age", "scaled"], ["y"])],
        inputs=[_value(name, TensorProto.DOUBLE, ("N", 1)) for name in ("fare", "age")],
        outputs=[_value("y", TensorProto.DOUBLE, ("N", 1))],
        weights=np.array(10.0),
    )

    answers = _agrees(_import(path, dataset, task="regression"), dataset, tmp_path / "out.onnx")

    np.testing.assert_allclose(answers, inputs["age"] + 10 * inputs["fare"])


@pytest.mark.parametrize("kind", [TensorProto.FLOAT, TensorProto.DOUBLE])
def test_columns_of_numbers_are_those_of_a_matrix_in_their_order(tmp_path: Path, kind: int) -> None:
    columns = np.random.default_rng(1).normal(size=(4, 9)).astype(np.float32)
    dataset = _dataset(dict(zip("dbca", columns, strict=True)))
    path = _save(
        tmp_path / "own.onnx",
        [("MatMul", ["x", "W"], ["y"])],
        inputs=[_value("x", kind, ("N", 4))],
        outputs=[_value("y", kind, ("N", 3))],
        weights=WEIGHTS.astype(helper.tensor_dtype_to_np_dtype(kind)),
    )

    answers = _agrees(_import(path, dataset), dataset, tmp_path / "out.onnx")

    logits = columns.T @ WEIGHTS
    np.testing.assert_allclose(answers, np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True), atol=1e-6)
    assert [one.name for one in open_session(tmp_path / "out.onnx").get_inputs()] == ["d", "b", "c", "a"]


def test_weights_beside_the_file_come_into_one(vectors: Dataset, tmp_path: Path) -> None:
    path = _linear(tmp_path / "own.onnx")
    onnx.save(onnx.load(path), path, save_as_external_data=True, location="own.weights", size_threshold=0)

    _import(path, vectors).export(tmp_path / "out.onnx")

    exported = onnx.load(tmp_path / "out.onnx", load_external_data=False)
    assert not any(one.external_data for one in exported.graph.initializer)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"taken": ("N", 5)}, r"takes 'x' FP32 \(N, 5\), but the dataset gives 'features' FP32 \(N, 4\)"),
        (
            {"taken": (1, 4)},
            r"takes exactly 1 samples at once in 'x'; export it with a first axis of any size",
        ),
    ],
)
def test_model_that_takes_something_else_is_told(
    vectors: Dataset, tmp_path: Path, changes: dict[str, Any], sentence: str
) -> None:
    weights = np.zeros((changes["taken"][1], 3), np.float32)
    path = _save(
        tmp_path / "own.onnx",
        [("MatMul", ["x", "W"], ["y"])],
        inputs=[_value("x", TensorProto.FLOAT, changes["taken"])],
        outputs=[_value("y", TensorProto.FLOAT, (changes["taken"][0], 3))],
        weights=weights,
    )

    with pytest.raises(InvalidRecipe, match=sentence):
        _import(path, vectors)


def test_inputs_of_other_names_are_told(tmp_path: Path) -> None:
    columns = _dataset({"age": np.zeros(3, np.float32), "fare": np.zeros(3, np.float32)})

    with pytest.raises(InvalidRecipe, match=r"gives 'age' FP32 \(N\), 'fare' FP32 \(N\): the names must be"):
        _import(_linear(tmp_path / "own.onnx"), columns)


def test_model_of_other_classes_is_told(tmp_path: Path) -> None:
    dataset = _dataset({"features": np.zeros((4, 4), np.float32)}, ("a", "b", "c", "d"))

    with pytest.raises(
        InvalidRecipe, match=r"gives 'logits' FP32 \(N, 3\), where 'probabilities' FP32 \(N, 4\) is"
    ):
        _import(_linear(tmp_path / "own.onnx"), dataset)


def test_two_possible_answers_are_told(vectors: Dataset, tmp_path: Path) -> None:
    path = _save(
        tmp_path / "own.onnx",
        [("MatMul", ["x", "W"], ["y"]), ("Neg", ["y"], ["z"])],
        inputs=[_value("x", TensorProto.FLOAT, ("N", 4))],
        outputs=[_value(name, TensorProto.FLOAT, ("N", 3)) for name in ("y", "z")],
    )

    with pytest.raises(InvalidRecipe, match=r"more than one could be meant: name one 'probabilities'"):
        _import(path, vectors)


def test_what_is_no_model_is_told(vectors: Dataset, tmp_path: Path) -> None:
    (tmp_path / "own.onnx").write_bytes(b"no model")

    with pytest.raises(InvalidRecipe, match=r"own\.onnx is no ONNX model that onnxruntime runs"):
        _import(tmp_path / "own.onnx", vectors)
    with pytest.raises(InvalidRecipe, match=r"there is no such file"):
        _import(tmp_path / "absent.onnx", vectors)


def test_training_of_what_comes_trained_is_refused(vectors: Dataset, tmp_path: Path) -> None:
    with pytest.raises(InvalidRecipe, match=r"onnx comes trained\. Leave it out"):
        _import(_linear(tmp_path / "own.onnx"), vectors, training={"epochs": 1})
