from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from sklearn.metrics import r2_score

from lampyris_build.data import load_dataset
from lampyris_build.data.dataset import Dataset, Feature, Samples
from lampyris_build.errors import DatasetBroken, InvalidRecipe
from lampyris_build.estimators import FittedEstimator
from lampyris_build.evaluation.session import open_session, run
from lampyris_build.recipe import Recipe
from lampyris_build.recipe.reading import recipe_of

Fit = Callable[[Recipe, Dataset], FittedEstimator]


def _recipe(data: str, task: str = "classification", *, extra: Any = (), **model: Any) -> Recipe:
    document = {"name": "own", "task": task, "seed": 3, "dataset": {"source": "sklearn", "name": data}}
    return recipe_of(document | {"model": model} | dict(extra), "own")


def _exported(trained: FittedEstimator, dataset: Dataset, path: Path) -> np.ndarray[Any, Any]:
    trained.export(path)
    (answers,) = run(open_session(path), dataset.test.inputs)
    return answers


@pytest.mark.parametrize(
    ("data", "model", "least"),
    [
        ("iris", {"architecture": "logistic-regression"}, 0.85),
        ("digits", {"architecture": "logistic-regression", "l2": 10.0}, 0.9),
        ("wine", {"architecture": "support-vector-machine"}, 0.9),
        ("breast_cancer", {"architecture": "support-vector-machine", "kernel": "linear"}, 0.9),
        ("wine", {"architecture": "random-forest", "trees": 10}, 0.85),
        ("wine", {"architecture": "gradient-boosting", "trees": 10}, 0.85),
        ("breast_cancer", {"architecture": "gradient-boosting", "trees": 10}, 0.85),
    ],
)
def test_classifier_learns_and_its_graph_answers_as_scikit_learn_does(
    fitted: Fit, tmp_path: Path, data: str, model: dict[str, Any], least: float
) -> None:
    recipe = _recipe(data, **model)
    dataset = load_dataset(recipe)

    trained = fitted(recipe, dataset)

    answers = _exported(trained, dataset, tmp_path / "model.onnx")
    assert (answers.argmax(axis=1) == dataset.test.targets).mean() >= least
    assert answers.dtype == np.float32
    np.testing.assert_allclose(answers.sum(axis=1), 1, atol=1e-5)
    np.testing.assert_allclose(answers, trained.predict(dataset.test.inputs)[0], atol=1e-5)
    assert trained.signature.labels == dataset.classes


@pytest.mark.parametrize(
    ("model", "least"),
    [
        ({"architecture": "linear-regression"}, 0.3),
        ({"architecture": "support-vector-machine"}, 0.2),
        ({"architecture": "random-forest", "trees": 10}, 0.1),
        ({"architecture": "gradient-boosting", "trees": 10}, 0.2),
    ],
)
def test_regressor_predicts_in_the_targets_unit(
    fitted: Fit, tmp_path: Path, model: dict[str, Any], least: float
) -> None:
    recipe = _recipe("diabetes", "regression", **model)
    dataset = load_dataset(recipe)

    trained = fitted(recipe, dataset)

    answers = _exported(trained, dataset, tmp_path / "model.onnx")
    assert answers.shape == (len(dataset.test),)
    assert r2_score(dataset.test.targets, answers) >= least
    # Targets go to 346, where neighbouring float32 are 3e-5 apart; a support vector machine sums hundreds.
    np.testing.assert_allclose(answers, trained.predict(dataset.test.inputs)[0], atol=1e-3)


def test_graph_takes_a_tables_columns_as_callers_send_them(
    fitted: Fit, passengers: Dataset, tmp_path: Path
) -> None:
    trained = fitted(_recipe("iris", architecture="random-forest", trees=5), passengers)

    answers = _exported(trained, passengers, tmp_path / "model.onnx")

    session = open_session(tmp_path / "model.onnx")
    taken = [(one.name, one.type, one.shape) for one in session.get_inputs()]
    assert taken == [
        ("age", "tensor(float)", ["batch"]),
        ("fare", "tensor(float)", ["batch"]),
        ("port", "tensor(string)", ["batch"]),
    ]
    np.testing.assert_allclose(answers, trained.predict(passengers.test.inputs)[0], atol=1e-5)
    assert (answers.argmax(axis=1) == passengers.test.targets).mean() > 0.9
    domains = [one.domain for one in onnx.load(tmp_path / "model.onnx").opset_import]
    assert sorted(set(domains)) == sorted(domains)


def test_same_seed_grows_the_same_forest(fitted: Fit, tmp_path: Path) -> None:
    recipe = _recipe("wine", architecture="random-forest", trees=5)
    dataset = load_dataset(recipe)

    first, second = (fitted(recipe, dataset).predict(dataset.test.inputs) for _ in range(2))

    np.testing.assert_array_equal(first, second)


def test_graph_holds_only_what_leads_to_the_answer(fitted: Fit, tmp_path: Path) -> None:
    recipe = _recipe("wine", architecture="support-vector-machine")

    fitted(recipe, load_dataset(recipe)).export(tmp_path / "model.onnx")

    model = onnx.load(tmp_path / "model.onnx")
    onnx.checker.check_model(model)
    assert [one.name for one in model.graph.output] == ["probabilities"]
    assert "ArgMax" not in {node.op_type for node in model.graph.node}  # of the label


@pytest.mark.parametrize(
    ("task", "architecture", "sentence"),
    [
        ("classification", "linear-regression", r"predicts numbers; .* use logistic-regression\."),
        ("regression", "logistic-regression", r"tells classes apart; .* use linear-regression\."),
        ("anomaly", "random-forest", r"is for tables of numbers and classes, not for task anomaly\."),
    ],
)
def test_family_for_another_task_is_refused(fitted: Fit, task: str, architecture: str, sentence: str) -> None:
    data = "diabetes" if task == "regression" else "iris"
    recipe = _recipe(data, task, architecture=architecture)

    with pytest.raises(InvalidRecipe, match=sentence):
        fitted(recipe, load_dataset(recipe))


def test_training_section_is_refused(fitted: Fit) -> None:
    recipe = _recipe("iris", extra={"training": {"epochs": 1}}, architecture="random-forest")

    with pytest.raises(InvalidRecipe, match=r"\[training\] is for networks; random-forest is fitted without"):
        fitted(recipe, load_dataset(recipe))


def test_text_is_refused(fitted: Fit, passengers: Dataset) -> None:
    story = Feature(name="port", kind="text")
    dataset = replace(passengers, features=(*passengers.features[:2], story))

    with pytest.raises(InvalidRecipe, match=r"'port' is text; use transformer, or sklearn with a pipeline"):
        fitted(_recipe("iris", architecture="random-forest"), dataset)


def test_class_that_is_not_in_the_training_set_is_told(fitted: Fit, passengers: Dataset) -> None:
    dataset = replace(passengers, classes=("no", "yes", "unknown"))

    with pytest.raises(DatasetBroken, match=r"the training set has no example of the class 'unknown'\."):
        fitted(_recipe("iris", architecture="random-forest"), dataset)


def test_what_scikit_learn_cannot_fit_is_told(fitted: Fit, passengers: Dataset) -> None:
    few = replace(passengers, train=passengers.train.take(slice(0, 6)))

    with pytest.raises(
        DatasetBroken, match=r"CalibratedClassifierCV cannot be fitted to it: .*n_splits=5 cannot be"
    ):
        fitted(_recipe("iris", architecture="support-vector-machine"), few)


def test_training_set_that_does_not_fit_into_memory_is_refused(fitted: Fit) -> None:
    # Rows that take no memory.
    pixels = np.broadcast_to(np.zeros(1, np.uint8), (1_000_000, 32, 32, 3))
    samples = Samples(inputs={"image": pixels}, targets=np.arange(1_000_000) % 2)
    dataset = Dataset(
        name="large",
        digest="0" * 64,
        features=(Feature(name="image", kind="image", shape=(32, 32, 3)),),
        classes=("no", "yes"),
        train=samples,
        validation=samples,
        test=samples,
    )

    with pytest.raises(DatasetBroken, match=r"1,000,000 samples of 3,072 numbers are 24\.6 GB"):
        fitted(_recipe("iris", architecture="logistic-regression"), dataset)
