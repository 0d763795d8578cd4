"""Fit an estimator to the training set.

Shape suffixes: N samples, T targets.
"""

from dataclasses import replace
from math import prod
from typing import Any, Final

import numpy as np
from sklearn.base import BaseEstimator

from lampyris_build.data.dataset import MAX_BYTES, Dataset
from lampyris_build.errors import DatasetBroken, InvalidRecipe, in_a_line
from lampyris_build.estimators.families import estimator_for
from lampyris_build.estimators.fitted import FittedEstimator
from lampyris_build.estimators.front import Front, PreprocessedFront
from lampyris_build.estimators.own import own_estimator, raw_front
from lampyris_build.preprocessing.encoding import Encoding
from lampyris_build.recipe import Recipe
from lampyris_build.recipe.models import SklearnModel
from lampyris_build.stages import Stage
from lampyris_build.tasks.task import Task

_NUMBER_BYTES: Final = 8  # scikit-learn computes in float64


def fit(recipe: Recipe, dataset: Dataset, task: Task, *, stage: Stage) -> FittedEstimator:
    """Fit the recipe's estimator to the training set: preprocessed, or raw for a user's own estimator.

    Raises: InvalidRecipe if it is not for the task or the data; DatasetBroken if a class is missing, or the
    training set cannot be held in memory.
    """
    name = str(recipe.model.__struct_config__.tag)
    if recipe.training is not None:
        raise InvalidRecipe(
            recipe=recipe.name,
            reason=f"[training] is for networks; {name} is fitted without it. Leave it out.",
        )
    _check_classes(dataset, task)
    _check_size(dataset, name)
    own = isinstance(recipe.model, SklearnModel)
    front: Front
    if isinstance(recipe.model, SklearnModel):
        estimator = own_estimator(recipe, recipe.model)
        front = raw_front(dataset)
    else:
        estimator = estimator_for(recipe)
        front = _preprocessed(recipe, dataset, task)
    targets: Any = dataset.train.targets
    mean, std = None, None
    if task.labels is None and not own:
        mean = targets.mean(axis=0, dtype=np.float64, keepdims=targets.ndim == 1)
        std = targets.std(axis=0, dtype=np.float64, keepdims=targets.ndim == 1)
        std = np.where(std > 0, std, 1.0)
        targets = (targets - mean) / std
        mean, std = mean.astype(np.float32), std.astype(np.float32)
    stage.outcome = _fit(estimator, front.features(dataset.train.inputs), targets, dataset)
    signature = task.signature if own else task.filling_signature
    return FittedEstimator(estimator, front, signature, mean=mean, std=std)


def _preprocessed(recipe: Recipe, dataset: Dataset, task: Task) -> PreprocessedFront:
    texts = [feature.name for feature in dataset.features if feature.kind in {"text", "tokens"}]
    if texts:
        raise InvalidRecipe(
            recipe=recipe.name,
            reason=f"model.architecture {recipe.model.__struct_config__.tag} takes numbers and categories, "
            f"and {texts[0]!r} is text; use transformer, or sklearn with a pipeline that counts words.",
        )
    encoding = Encoding.fit(dataset.features, dataset.train, length=1, vocabulary=2)  # there are no texts
    encoded = replace(dataset.train, inputs=encoding.apply(dataset.train.inputs))
    return PreprocessedFront(encoding, task.preprocessing(encoded), dataset.train.take(slice(0, 2)).inputs)


def _fit(estimator: BaseEstimator, features: Any, targets: Any, dataset: Dataset) -> str:
    fitted: Any = estimator
    try:
        fitted.fit(features, targets)
    # What scikit-learn raises says what it cannot take.
    except (ValueError, TypeError) as error:
        raise DatasetBroken(
            path=dataset.name, reason=f"{type(estimator).__name__} cannot be fitted to it: {in_a_line(error)}"
        ) from error
    return f"{type(estimator).__name__} fitted to {len(targets):,} samples"


def _check_classes(dataset: Dataset, task: Task) -> None:
    """An estimator knows the classes that it saw; a class that it did not see would shift all after it."""
    if task.labels is None:
        return
    targets: Any = dataset.train.targets
    found = set(targets.tolist())
    missing = [label for index, label in enumerate(task.labels) if index not in found]
    if missing:
        raise DatasetBroken(
            path=dataset.name, reason=f"the training set has no example of the class {missing[0]!r}."
        )


def _check_size(dataset: Dataset, name: str) -> None:
    values = sum(prod(feature.shape) for feature in dataset.features)
    size = len(dataset.train) * values * _NUMBER_BYTES
    if size > MAX_BYTES:
        raise DatasetBroken(
            path=dataset.name,
            reason=f"{name} holds the whole training set in memory: {len(dataset.train):,} samples of "
            f"{values:,} numbers are {size / 1e9:.1f} GB, and it may be {MAX_BYTES / 1e9:.1f} GB. A network, "
            "such as mlp, reads it batch by batch.",
        )
