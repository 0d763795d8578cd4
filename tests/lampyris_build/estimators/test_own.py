from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lampyris_build.data.dataset import Dataset, Feature, Samples
from lampyris_build.errors import ConversionFailed, InvalidRecipe
from lampyris_build.estimators import FittedEstimator
from lampyris_build.evaluation.session import open_session, run
from lampyris_build.recipe import Recipe
from lampyris_build.recipe.reading import recipe_of

Fit = Callable[[Recipe, Dataset], FittedEstimator]

PIPELINES = """
from sklearn.cluster import KMeans
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.naive_bayes import MultinomialNB
from sklearn.neighbors import LocalOutlierFactor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler
from sklearn.svm import LinearSVC

def passengers(c=1.0):
    numbers = make_pipeline(SimpleImputer(), StandardScaler())
    columns = make_column_transformer(
        (numbers, ["age", "fare"]), (OneHotEncoder(handle_unknown="ignore"), ["port"])
    )
    return make_pipeline(columns, LogisticRegression(C=c))

def numbers():
    return make_pipeline(SimpleImputer(), StandardScaler(), LogisticRegression())

def boosted():
    return make_pipeline(StandardScaler(), HistGradientBoostingClassifier(max_iter=3))

def line():
    return make_pipeline(StandardScaler(), LinearRegression())

def tfidf():
    return make_pipeline(TfidfVectorizer(ngram_range=(1, 2)), LogisticRegression())

def counts():
    return make_pipeline(CountVectorizer(), MultinomialNB())

def unconvertible():
    return make_pipeline(SimpleImputer(), FunctionTransformer(abs), LogisticRegression())

def no_probabilities():
    return LinearSVC()

def clusters():
    return KMeans()

def nothing():
    return None
"""


@pytest.fixture(autouse=True)
def _own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "own_pipelines.py").write_text(PIPELINES)
    monkeypatch.chdir(tmp_path)


def _recipe(name: str, task: str = "classification", **arguments: Any) -> Recipe:
    model = {"architecture": "sklearn", "estimator": f"own_pipelines:{name}", "arguments": arguments}
    dataset = {"source": "sklearn", "name": "iris"}
    return recipe_of({"name": "own", "task": task, "dataset": dataset, "model": model}, "own")


def _dataset(feature: Feature, values: Any, targets: Any, classes: tuple[str, ...] | None) -> Dataset:
    samples = Samples(inputs={feature.name: values}, targets=targets)
    return Dataset(
        name="own",
        digest="0" * 64,
        features=(feature,),
        classes=classes,
        train=samples,
        validation=samples,
        test=samples,
    )


def _agrees(trained: FittedEstimator, dataset: Dataset, path: Path) -> np.ndarray[Any, Any]:
    """Return what the exported pipeline answers, having seen that it is what scikit-learn does."""
    trained.export(path)
    (answers,) = run(open_session(path), dataset.test.inputs)
    np.testing.assert_allclose(answers, trained.predict(dataset.test.inputs)[0], atol=1e-5)
    return answers


def test_pipeline_finds_a_tables_columns_by_name(fitted: Fit, passengers: Dataset, tmp_path: Path) -> None:
    trained = fitted(_recipe("passengers", c=10.0), passengers)

    answers = _agrees(trained, passengers, tmp_path / "model.onnx")

    session = open_session(tmp_path / "model.onnx")
    assert [(one.name, one.shape) for one in session.get_inputs()] == [
        ("age", ["batch"]),
        ("fare", ["batch"]),
        ("port", ["batch"]),
    ]
    assert (answers.argmax(axis=1) == passengers.test.targets).mean() > 0.9


def test_pipeline_takes_columns_of_numbers_for_a_matrix(
    fitted: Fit, passengers: Dataset, tmp_path: Path
) -> None:
    dataset = replace(passengers, features=passengers.features[:2])

    answers = _agrees(fitted(_recipe("numbers"), dataset), dataset, tmp_path / "model.onnx")

    assert (answers.argmax(axis=1) == dataset.test.targets).mean() > 0.9


def test_pipeline_takes_pictures_for_rows_of_pixels(fitted: Fit, tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (100, 4, 4, 3), dtype=np.uint8)
    feature = Feature(name="image", kind="image", shape=(4, 4, 3))
    dataset = _dataset(feature, pixels, (pixels[:, 0, 0, 0] > 127).astype(np.int64), ("dark", "bright"))

    answers = _agrees(fitted(_recipe("boosted"), dataset), dataset, tmp_path / "model.onnx")

    assert (answers.argmax(axis=1) == dataset.test.targets).mean() > 0.9
    assert open_session(tmp_path / "model.onnx").get_inputs()[0].type == "tensor(uint8)"


def test_pipeline_predicts_numbers(fitted: Fit, tmp_path: Path) -> None:
    vectors = np.random.default_rng(0).normal(size=(50, 3)).astype(np.float32)
    feature = Feature(name="features", kind="vector", shape=(3,))
    targets = 2 * vectors[:, 0] + 5
    dataset = _dataset(feature, vectors, targets, None)

    answers = _agrees(fitted(_recipe("line", "regression"), dataset), dataset, tmp_path / "model.onnx")

    np.testing.assert_allclose(answers, targets, atol=1e-4)


@pytest.mark.parametrize("name", ["tfidf", "counts"])
def test_pipeline_reads_words_of_any_script(fitted: Fit, tmp_path: Path, name: str) -> None:
    texts = ["The cat sat", "a DOG ran, fast!", "über-cool, it's a café", "кошка x 2024", "don't", "!"] * 5
    feature = Feature(name="text", kind="text")
    dataset = _dataset(feature, np.array(texts, dtype=object), np.arange(30) % 3 // 2, ("no", "yes"))

    _agrees(fitted(_recipe(name), dataset), dataset, tmp_path / "model.onnx")


@pytest.mark.parametrize(
    ("name", "task", "sentence"),
    [
        (
            "no_probabilities",
            "classification",
            r"a LinearSVC without predict_proba, .*CalibratedClassifierCV",
        ),
        ("clusters", "classification", r"gives a KMeans that is not for task classification"),
        ("line", "classification", r"gives a Pipeline that is not for task classification"),
        ("nothing", "classification", r"gives NoneType; it must give an estimator of scikit-learn"),
        ("absent", "classification", r"own_pipelines has no 'absent'"),
    ],
)
def test_estimator_that_does_not_fit_the_task_is_told(
    fitted: Fit, passengers: Dataset, name: str, task: str, sentence: str
) -> None:
    with pytest.raises(InvalidRecipe, match=sentence):
        fitted(_recipe(name, task), passengers)


def test_argument_that_the_function_does_not_take_is_told(fitted: Fit, passengers: Dataset) -> None:
    with pytest.raises(InvalidRecipe, match=r"own_pipelines:passengers\(depth=3\) fails: TypeError"):
        fitted(_recipe("passengers", depth=3), passengers)


def test_step_without_a_converter_is_told(fitted: Fit, passengers: Dataset, tmp_path: Path) -> None:
    dataset = replace(passengers, features=passengers.features[:2])
    trained = fitted(_recipe("unconvertible"), dataset)

    with pytest.raises(
        ConversionFailed, match=r"Pipeline cannot be converted to ONNX: .*FunctionTransformer"
    ):
        trained.export(tmp_path / "model.onnx")
