"""How much a score depends on which samples were learnt and which were asked: k-fold cross-validation.

A fold is a dataset of its own, computable alone: its test set is one part of the training set, and what it
learns is the rest of that. The dataset's own test set is never in it.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from statistics import fmean, stdev
from typing import Any, Final, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import (
    GroupKFold,
    KFold,
    StratifiedGroupKFold,
    StratifiedKFold,
    TimeSeriesSplit,
)

from lampyris_build.data.dataset import Dataset
from lampyris_build.errors import DatasetBroken, InvalidRecipe
from lampyris_build.recipe import Recipe

By = Literal["stratified", "group", "random", "time"]
_Places = tuple[NDArray[np.int64], NDArray[np.int64]]
_WHY: Final = "lower evaluation.folds, or add data"


class Folds(msgspec.Struct, frozen=True, kw_only=True):
    """What each fold scored, by the names of the scores."""

    scores: tuple[dict[str, float], ...]

    @property
    def mean(self) -> dict[str, float]:
        return {name: fmean(fold[name] for fold in self.scores) for name in self._common}

    @property
    def spread(self) -> dict[str, float]:
        """The standard deviation from fold to fold; that of a sample, as the folds are one."""
        return {name: stdev(fold[name] for fold in self.scores) for name in self._common}

    @property
    def _common(self) -> list[str]:
        return [name for name in self.scores[0] if all(name in fold for fold in self.scores)]


def cross_validate(
    recipe: Recipe, dataset: Dataset, fit_fold: Callable[[int, Dataset], Mapping[str, float]]
) -> Folds:
    """Fit and measure every fold; `fit_fold` is told its number as well, which counts from 0.

    It returns the fold's scores by name, measured on the fold's test set.

    Raises: InvalidRecipe, DatasetBroken, and what `fit_fold` raises.
    """
    assert recipe.evaluation.folds is not None
    return Folds(
        scores=tuple(
            dict(fit_fold(number, fold_of(recipe, dataset, number)))
            for number in range(recipe.evaluation.folds)
        )
    )


def fold_of(recipe: Recipe, dataset: Dataset, number: int) -> Dataset:
    """Return one fold, counted from 0: the same for the same seed, whoever asks, and in whichever order.

    "stratified" keeps the share of every class, "group" keeps rows with equal keys together, "time" learns
    what came before the part that is asked. Without a word in the recipe, it follows how the data were split.

    Raises: InvalidRecipe or DatasetBroken if there are too few samples, classes or groups for so many folds.
    """
    learnt, asked = _places(recipe, dataset)[number]
    return replace(
        dataset,
        name=f"{dataset.name}, fold {number + 1}",
        train=dataset.train.take(learnt),
        test=dataset.train.take(asked),
    )


def _places(recipe: Recipe, dataset: Dataset) -> list[_Places]:
    train = dataset.train
    folds = recipe.evaluation.folds
    assert folds is not None
    if len(train) < 2 * folds:
        raise DatasetBroken(
            path=dataset.name, reason=f"{len(train):,} samples are too few for {folds} folds; {_WHY}."
        )
    by = recipe.evaluation.by or _usual(recipe, dataset)
    match by:
        case "stratified":
            _check_classes(dataset, folds)
            parts = StratifiedKFold(folds, shuffle=True, random_state=recipe.seed)
            chosen = parts.split(np.empty(len(train)), train.targets)
        case "group":
            chosen = _grouped(recipe, dataset, folds)
        case "time":
            chosen = TimeSeriesSplit(folds, gap=_overlapping(recipe)).split(np.empty(len(train)))
        case "random":
            chosen = KFold(folds, shuffle=True, random_state=recipe.seed).split(np.empty(len(train)))
    return list(chosen)


def _usual(recipe: Recipe, dataset: Dataset) -> By:
    if recipe.split.by == "group":
        return "group"
    if recipe.split.by == "time" or any(one.kind in {"series", "tokens"} for one in dataset.features):
        return "time"
    return "stratified" if dataset.classes is not None else "random"


def _grouped(recipe: Recipe, dataset: Dataset, folds: int) -> Iterator[_Places]:
    train = dataset.train
    if train.keys is None:
        raise InvalidRecipe(
            recipe=recipe.name,
            reason='evaluation.by is "group", which needs split.column: what names the group of each row.',
        )
    groups = len(np.unique(train.keys))
    if groups < folds:
        raise DatasetBroken(
            path=dataset.name,
            reason=f"{groups} groups in the training set are too few for {folds} folds; {_WHY}.",
        )
    if dataset.classes is None:
        parts: Any = GroupKFold(folds, shuffle=True, random_state=recipe.seed)
    else:
        _check_classes(dataset, folds)
        parts = StratifiedGroupKFold(folds, shuffle=True, random_state=recipe.seed)
    chosen: Iterator[_Places] = parts.split(np.empty(len(train)), train.targets, train.keys)
    return chosen


def _check_classes(dataset: Dataset, folds: int) -> None:
    if dataset.classes is None or dataset.train.targets is None:
        raise DatasetBroken(
            path=dataset.name,
            reason='evaluation.by is "stratified", but the targets are no classes; "random" divides numbers.',
        )
    counts = np.bincount(dataset.train.targets, minlength=len(dataset.classes))
    least = int(counts.argmin())
    if counts[least] < folds:
        raise DatasetBroken(
            path=dataset.name,
            reason=f"class {dataset.classes[least]!r} has {counts[least]} samples in the training set, too "
            f"few for {folds} folds; {_WHY}.",
        )


def _overlapping(recipe: Recipe) -> int:
    """Return how many windows after one share a row with it, or with what it foretells."""
    if recipe.window is None:
        return 0
    return -(-(recipe.window.length + recipe.window.horizon) // recipe.window.stride) - 1
