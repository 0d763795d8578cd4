import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lampyris_build.data import load_dataset
from lampyris_build.data.dataset import Dataset
from lampyris_build.errors import ExtraMissing, InvalidRecipe
from lampyris_build.evaluation.session import open_session, run
from lampyris_build.imports import import_model
from lampyris_build.recipe import Recipe
from lampyris_build.recipe.reading import recipe_of
from lampyris_build.tasks import task_for
from lampyris_build.trained import Trained

# Keras asks TensorFlow's variables for arrays in numpy's former way.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


def _recipe(path: Path) -> Recipe:
    model = {"architecture": "keras", "path": str(path)}
    return recipe_of(
        {"name": "own", "dataset": {"source": "sklearn", "name": "digits"}, "model": model}, "own"
    )


@pytest.fixture(scope="module")
def digits() -> Dataset:
    return load_dataset(_recipe(Path("own.keras")))


def _import(path: Path, dataset: Dataset) -> Trained:
    recipe = _recipe(path)
    return import_model(recipe, dataset, task_for(recipe, dataset))


def test_absent_converter_says_what_to_install(
    digits: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "tensorflow", None)  # so that it is absent where it is installed, too

    with pytest.raises(ExtraMissing, match=r"pip install 'lampyris\[keras\]'"):
        _import(tmp_path / "own.keras", digits)


@pytest.mark.keras
@pytest.mark.parametrize("name", ["own.keras", "saved"])
def test_exported_model_answers_as_keras_does(digits: Dataset, tmp_path: Path, name: str) -> None:
    import keras

    layers: list[Any] = [
        keras.Input((8, 8, 1)),
        keras.layers.Rescaling(1 / 255),
        keras.layers.Conv2D(4, 3, activation="relu"),
        keras.layers.Flatten(),
        keras.layers.Dense(10),
    ]
    model = keras.Sequential(layers)
    if name == "saved":
        model.export(tmp_path / name, verbose=False)
    else:
        model.save(tmp_path / name)

    trained = _import(tmp_path / name, digits)
    trained.export(tmp_path / "out.onnx")

    logits = model.predict(digits.test.inputs["image"].astype(np.float32), verbose=0)
    expected = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    (answers,) = run(open_session(tmp_path / "out.onnx"), digits.test.inputs)
    np.testing.assert_allclose(answers, expected, atol=1e-5)
    np.testing.assert_allclose(trained.predict(digits.test.inputs)[0], expected, atol=1e-5)


@pytest.mark.keras
def test_what_is_no_keras_model_is_told(digits: Dataset, tmp_path: Path) -> None:
    (tmp_path / "own.keras").write_bytes(b"no model")

    with pytest.raises(InvalidRecipe, match=r"is neither a model as keras writes it"):
        _import(tmp_path / "own.keras", digits)
    with pytest.raises(InvalidRecipe, match=r"there is no such file or folder"):
        _import(tmp_path / "absent", digits)
