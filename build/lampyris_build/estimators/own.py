"""An estimator or pipeline of the user's own: it preprocesses itself, so it is given what callers send.

A table is a pyarrow.Table, whose columns a ColumnTransformer finds by name, and which all else takes for a
matrix. If its only column is text, that is an array of strings, as CountVectorizer and its like take it.
Whatever is no table is a matrix (N, F) of float32.
"""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pyarrow as pa
from numpy.typing import NDArray
from skl2onnx.common.data_types import FloatTensorType, StringTensorType
from sklearn.base import BaseEstimator, is_classifier, is_regressor

from lampyris_build.data.dataset import Dataset, Feature, Inputs
from lampyris_build.errors import InvalidRecipe
from lampyris_build.estimators.front import Front
from lampyris_build.imports.graph import add_input
from lampyris_build.imports.import_path import make_object
from lampyris_build.recipe import Recipe
from lampyris_build.recipe.models import SklearnModel


def own_estimator(recipe: Recipe, model: SklearnModel) -> BaseEstimator:
    """Make the estimator that the recipe names by its import path, not fitted.

    Raises: InvalidRecipe if there is none, or it is for another task.
    """
    estimator = make_object(model.estimator, model.arguments, "model.estimator")
    wanted = {"classification": is_classifier, "regression": is_regressor}.get(recipe.task)
    if wanted is None:
        raise _invalid(recipe, f"is for task classification or regression, not {recipe.task}.")
    if not isinstance(estimator, BaseEstimator):
        raise _invalid(
            recipe, f"gives {type(estimator).__name__}; it must give an estimator of scikit-learn."
        )
    if not wanted(estimator):
        raise _invalid(recipe, f"gives a {type(estimator).__name__} that is not for task {recipe.task}.")
    if wanted is is_classifier and not hasattr(estimator, "predict_proba"):
        raise _invalid(
            recipe,
            f"gives a {type(estimator).__name__} without predict_proba, but probabilities are served; "
            "CalibratedClassifierCV adds them to any classifier.",
        )
    return estimator


def raw_front(dataset: Dataset) -> Front:
    """Choose how an estimator of the user's own is given the dataset's inputs."""
    features = dataset.features
    if len(features) == 1 and features[0].kind == "text":
        return _TextFront(features[0])
    if all(feature.shape == () for feature in features):
        return _TableFront(features)
    (feature,) = features
    return _MatrixFront(feature)


class _MatrixFront:
    """Gives an estimator float32 numbers (N, F)."""

    def __init__(self, feature: Feature) -> None:
        self._feature = feature
        self._width = int(np.prod(feature.shape))

    @property
    def types(self) -> list[tuple[str, Any]]:
        return [(self._feature.name, FloatTensorType([None, self._width]))]

    def features(self, inputs: Inputs) -> NDArray[np.float32]:
        values = inputs[self._feature.name]
        return values.reshape(len(values), -1).astype(np.float32)

    def write(self, model: onnx.ModelProto, path: Path) -> None:
        spec = self._feature.spec
        name = model.graph.input[0].name
        add_input(model, name, spec, shape=(-1, self._width), cast=spec.datatype != "FP32")
        onnx.save(model, path)


class _TextFront:
    """Gives an estimator strings (N,)."""

    def __init__(self, feature: Feature) -> None:
        self._feature = feature

    @property
    def types(self) -> list[tuple[str, Any]]:
        return [(self._feature.name, StringTensorType([None, 1]))]

    def features(self, inputs: Inputs) -> NDArray[np.object_]:
        return inputs[self._feature.name]

    def write(self, model: onnx.ModelProto, path: Path) -> None:
        add_input(model, model.graph.input[0].name, self._feature.spec, shape=(-1, 1))
        onnx.save(model, path)


class _TableFront:
    """Gives an estimator columns by name; in ONNX each is (N, 1)."""

    def __init__(self, features: tuple[Feature, ...]) -> None:
        self._features = features

    @property
    def types(self) -> list[tuple[str, Any]]:
        return [
            (one.name, FloatTensorType([None, 1]) if one.kind == "number" else StringTensorType([None, 1]))
            for one in self._features
        ]

    def features(self, inputs: Inputs) -> pa.Table:
        return pa.table({feature.name: inputs[feature.name] for feature in self._features})

    def write(self, model: onnx.ModelProto, path: Path) -> None:
        names = [value.name for value in model.graph.input]
        for name, feature in zip(names, self._features, strict=True):
            add_input(model, name, feature.spec, shape=(-1, 1))
        onnx.save(model, path)


def _invalid(recipe: Recipe, reason: str) -> InvalidRecipe:
    return InvalidRecipe(recipe=recipe.name, reason=f"model.estimator {reason}")
