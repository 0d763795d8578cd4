"""Divide a source into three sets, the same way for the same seed, so that none of them tells of another."""

from collections.abc import Callable
from typing import Literal, assert_never

import numpy as np
from numpy.typing import NDArray

from lampyris_build.data.dataset import Dataset, Samples, Source
from lampyris_build.data.fingerprints import fingerprints
from lampyris_build.data.keys import check_keys, moments
from lampyris_build.errors import DatasetBroken
from lampyris_build.recipe.recipe import TaskName
from lampyris_build.recipe.sources import Split

# What is left, and what is taken, as places among the samples.
_Parts = tuple[NDArray[np.int64], NDArray[np.int64]]
_Take = Callable[[Samples, float], _Parts]


def split(source: Source, settings: Split, seed: int, task: TaskName) -> Dataset:
    """Take the test set from the source unless it brought one, then the validation set from the rest.

    Without `split.by`, samples that have classes are divided class by class, moments of a series and text in
    their order, all others at random.

    Raises: DatasetBroken if a set, or a class in one, would be empty.
    """
    take = _taking(source, settings, np.random.default_rng(seed), task)
    rest, test = source.samples, source.test
    if test is None:
        rest, test = _divide(source, rest, take, settings.test)
    train, validation = _divide(source, rest, take, settings.validation)
    if task == "classification":
        _check_classes(source, train)
    notes = source.notes
    known_N = np.isin(fingerprints(test.inputs.values()), fingerprints(train.inputs.values()))
    if repeated := np.count_nonzero(known_N):
        notes += (
            f"{repeated:,} of {len(test):,} test samples are in the training set too, value for value.",
        )
    return Dataset(
        name=source.name,
        digest=source.digest,
        features=source.features,
        classes=source.classes,
        train=train,
        validation=validation,
        test=test,
        notes=notes,
    )


def _taking(source: Source, settings: Split, rng: np.random.Generator, task: TaskName) -> _Take:
    by = settings.by or _usual(source, task)
    match by:
        case "stratified":
            return lambda samples, fraction: _stratified(source, samples, fraction, rng)
        case "random":
            return lambda samples, fraction: _random(samples, fraction, rng)
        case "time":
            return lambda samples, fraction: _latest(source, samples, fraction)
        case "group":
            return lambda samples, fraction: _whole_groups(source, samples, fraction, rng)
        case _:
            assert_never(by)


def _usual(source: Source, task: TaskName) -> Literal["stratified", "random", "time"]:
    if task == "language" or any(feature.kind == "series" for feature in source.features):
        return "time"
    labels = source.samples.targets
    # What is unusual is labelled too, if it is known.
    has_labels = task in {"classification", "anomaly"} and labels is not None and labels.dtype.kind == "i"
    return "stratified" if has_labels else "random"


def _divide(source: Source, samples: Samples, take: _Take, fraction: float) -> tuple[Samples, Samples]:
    left, taken = take(samples, fraction)
    if not len(left) or not len(taken):
        raise _broken(
            source,
            f"{len(samples):,} samples are too few for a training, a validation and a test set; add some, or "
            "change split.test and split.validation.",
        )
    return _rows(samples, left), _rows(samples, taken)


def _random(samples: Samples, fraction: float, rng: np.random.Generator) -> _Parts:
    order = rng.permutation(len(samples))
    count = max(1, round(len(samples) * fraction))
    return order[count:], order[:count]


def _stratified(source: Source, samples: Samples, fraction: float, rng: np.random.Generator) -> _Parts:
    """Take `fraction` of every class, one sample at least: scikit-learn would leave a small class out."""
    labels = samples.targets
    if labels is None or labels.ndim != 1 or labels.dtype.kind != "i":
        raise _broken(
            source, 'split.by is "stratified", but the targets are no classes; "random" divides numbers.'
        )
    taken, left = [], []
    for label in np.unique(labels):
        members = rng.permutation(np.flatnonzero(labels == label))
        count = max(1, round(len(members) * fraction))
        if count >= len(members):
            name = source.classes[label] if source.classes else str(label)
            raise _broken(
                source,
                f"class {name!r} has too few samples to be in the training, validation and test set; "
                "add some, or lower split.test and split.validation.",
            )
        taken.append(members[:count])
        left.append(members[count:])
    return rng.permutation(np.concatenate(left)), rng.permutation(np.concatenate(taken))


def _latest(source: Source, samples: Samples, fraction: float) -> _Parts:
    """Take the latest, all samples of a moment together. Without a column, the last are the latest."""
    if samples.keys is None:
        count = max(1, round(len(samples) * fraction))
        places = np.arange(len(samples))
        return places[:-count], places[-count:]
    moment_N = moments(source.name, samples.keys)
    order = np.argsort(moment_N, kind="stable")
    first_taken = moment_N[order[-max(1, round(len(samples) * fraction))]]
    is_taken = moment_N[order] >= first_taken
    if is_taken.all():
        raise _broken(
            source, "split.column holds too few different moments for three sets, one after the other."
        )
    return order[~is_taken], order[is_taken]


def _whole_groups(source: Source, samples: Samples, fraction: float, rng: np.random.Generator) -> _Parts:
    """Take groups at random until they hold about `fraction` of the samples; these stay in their order.

    A group may be a series, whose moments make no sense in another.
    """
    if samples.keys is None:
        raise _broken(
            source, 'split.by is "group", which needs split.column: what names the group of each row.'
        )
    check_keys(source.name, samples.keys)
    groups, group_N, sizes = np.unique(samples.keys, return_inverse=True, return_counts=True)
    if len(groups) < 2:  # noqa: PLR2004 - one for each side
        raise _broken(
            source,
            "split.column names too few groups for a training, a validation and a test set; it takes three.",
        )
    order = rng.permutation(len(groups))
    held = np.cumsum(sizes[order])[: -min(2, len(groups) - 1)]  # what is left may have to be divided again
    count = int(np.abs(held - len(samples) * fraction).argmin()) + 1
    is_taken = np.isin(group_N, order[:count])
    return np.flatnonzero(~is_taken), np.flatnonzero(is_taken)


def _check_classes(source: Source, train: Samples) -> None:
    for label, name in enumerate(source.classes or ()):
        if not np.any(train.targets == label):
            raise _broken(
                source,
                f"class {name!r} has no sample in the training set; add some, or choose another split.by.",
            )


def _rows(samples: Samples, places: NDArray[np.int64]) -> Samples:
    first, end = int(places[0]), int(places[0]) + len(places)
    is_run = np.array_equal(places, np.arange(first, end))
    return samples.take(slice(first, end) if is_run else places)


def _broken(source: Source, reason: str) -> DatasetBroken:
    return DatasetBroken(path=source.name, reason=reason)
