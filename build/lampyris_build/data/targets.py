"""From targets as they were found to what a task learns: indices of classes, or numbers."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from lampyris_build.data.dataset import Samples, Source
from lampyris_build.errors import DatasetBroken
from lampyris_build.recipe.recipe import TaskName

# More different numbers than that are measured, not named.
_MAX_NUMBERED_CLASSES: Final = 1000
_SHOWN: Final = 3

Targets = NDArray[Any]


def with_targets(source: Source, task: TaskName) -> Source:
    """Return the source with targets as its task wants them.

    - classification: (N,) int64, the index of each class. Words are classes in alphabetical order, whole
      numbers in theirs.
    - regression: (N,) or (N, T) float32, all finite.
    - anomaly: (N,) int64, 1 for what is unusual: of 0 and 1 it is 1, of two other classes the rarer. Other
      targets, or none, are left out: then all that is learnt counts as usual.
    - language: (N, length) int64, the token after each.
    - generation: none.

    Raises: DatasetBroken if the targets are not such.
    """
    match task:
        case "classification":
            return _with_classes(source)
        case "regression":
            return _with_numbers(source)
        case "anomaly":
            return _with_unusual(source)
        case "language":
            return _with_tokens(source)
        case "generation":
            return _retargeted(source, None, None, classes=None)


def _with_classes(source: Source) -> Source:
    if any(feature.kind == "tokens" for feature in source.features):
        raise _broken(source, 'a text says nothing but what comes next: set task = "language".')
    targets, test = _found(source)
    if source.classes is None:
        names, targets, test = _named(source, targets, test)
    else:
        names = source.classes
        _check_range(source, "training set", targets, len(names))
        if test is not None:
            _check_range(source, "test set", test, len(names))
    if len(names) < 2:  # noqa: PLR2004 - to classify is to choose between two at least
        raise _broken(
            source, f"all its samples are of a single class, {names[0]!r}; a classifier needs two at least."
        )
    counts = np.bincount(targets, minlength=len(names))
    if counts.min() == 0:
        raise _broken(source, f"class {names[int(counts.argmin())]!r} has no sample to learn from.")
    return _retargeted(source, targets, test, classes=names)


def _named(
    source: Source, targets: Targets, test: Targets | None
) -> tuple[tuple[str, ...], NDArray[np.int64], NDArray[np.int64] | None]:
    """Call the classes as their targets are, in order; return their names, and the targets as indices."""
    both = targets if test is None else np.concatenate([targets, test])
    if both.ndim != 1:
        raise _broken(
            source, f"a sample has targets of shape {both.shape[1:]}; classification wants one class each."
        )
    if both.dtype.kind == "f":
        both = _whole(source, both)
    values, index = _sorted_and_found(both)
    if both.dtype.kind in "iu" and len(values) > _MAX_NUMBERED_CLASSES:
        raise _broken(
            source,
            f"its targets are {len(values):,} different numbers, from {values[0]} to {values[-1]}; to "
            'predict how large a number is, set task = "regression".',
        )
    names = tuple(str(value) for value in values)
    return names, index[: len(targets)], None if test is None else index[len(targets) :]


def _sorted_and_found(targets: Targets) -> tuple[Sequence[Any] | Targets, NDArray[np.int64]]:
    """Return the different values in order, and the place of each target among them."""
    if targets.dtype != object:
        values, index = np.unique(targets, return_inverse=True)
        return values, index.astype(np.int64)
    words = sorted(set(targets))
    places = {word: place for place, word in enumerate(words)}
    return words, np.fromiter(map(places.__getitem__, targets), np.int64, len(targets))


def _whole(source: Source, targets: Targets) -> NDArray[np.int64]:
    """Take numbers such as 3.0, as tables have them, for the whole numbers that they are."""
    broken = ~np.isfinite(targets) | (targets != np.round(targets))
    if broken.any():
        shown = ", ".join(f"{value:g}" for value in targets[broken][:_SHOWN])
        raise _broken(
            source,
            f"its targets are numbers such as {shown}, which name no classes; to predict how large a number "
            'is, set task = "regression".',
        )
    return targets.astype(np.int64)


def _check_range(source: Source, what: str, targets: Targets, classes: int) -> None:
    if targets.size and (targets.min() < 0 or targets.max() >= classes):
        raise _broken(
            source,
            f"the labels of the {what} go from {targets.min()} to {targets.max()}; "
            f"with {classes} classes they go from 0 to {classes - 1}.",
        )


def _with_numbers(source: Source) -> Source:
    targets, test = _found(source)
    if source.classes is not None:
        raise _broken(
            source, f'its targets are classes, such as {source.classes[0]!r}; set task = "classification".'
        )
    for what, values in (("training set", targets), ("test set", test)):
        if values is None:
            continue
        if values.dtype.kind not in "iufb":
            shown = ", ".join(repr(str(value)) for value in values[:_SHOWN])
            raise _broken(
                source,
                f'its targets are words, such as {shown}, and no numbers; set task = "classification".',
            )
        with np.errstate(over="ignore"):
            infinite = ~np.isfinite(values.astype(np.float32))
        if infinite.any():
            raise _broken(
                source, f"{infinite.sum():,} targets of the {what} are NaN, infinite or beyond 32 bits."
            )
    if (targets == targets[:1]).all():
        raise _broken(source, f"all its targets are {targets.flat[0]:g}: there is nothing to learn.")
    return _retargeted(
        source, targets.astype(np.float32), None if test is None else test.astype(np.float32), classes=None
    )


def _with_unusual(source: Source) -> Source:
    targets = source.samples.targets
    test = None if source.test is None else source.test.targets
    everything = [one for one in (targets, test) if one is not None]
    both = np.concatenate(everything) if everything else np.empty(0)
    values, counts = np.unique(both, return_counts=True)
    is_whole = len(everything) == (1 if source.test is None else 2)
    if len(values) != 2 or not is_whole:  # noqa: PLR2004 - what is usual, and what is not
        return _retargeted(source, None, None, classes=None)
    if source.classes is None and both.dtype.kind in "iufb" and values.tolist() == [0, 1]:
        unusual = values[1]
    elif counts[0] == counts[1]:
        raise _broken(
            source,
            f"its two classes have {counts[0]:,} samples each, so neither is the unusual one; call it 1, "
            "and the other 0.",
        )
    else:
        unusual = values[counts.argmin()]
    name = str(unusual) if source.classes is None else source.classes[int(unusual)]
    share = counts[values == unusual][0]
    return replace(
        _retargeted(
            source,
            (targets == unusual).astype(np.int64),
            None if test is None else (test == unusual).astype(np.int64),
            classes=None,
        ),
        notes=(*source.notes, f"Class {name!r}, {share:,} of {len(both):,} samples, counts as unusual."),
    )


def _with_tokens(source: Source) -> Source:
    if not any(feature.kind == "tokens" for feature in source.features):
        raise _broken(source, 'it is no plain text; task = "language" learns from dataset.source = "text".')
    return source


def _found(source: Source) -> tuple[Targets, Targets | None]:
    targets, test = source.samples.targets, None if source.test is None else source.test.targets
    if targets is None or (source.test is not None and test is None):
        raise _broken(
            source,
            "it has nothing to predict. Of a table, dataset.target names the column; pictures are in folders "
            "named after their classes.",
        )
    return targets, test


def _retargeted(
    source: Source, targets: Targets | None, test: Targets | None, *, classes: tuple[str, ...] | None
) -> Source:
    return replace(
        source,
        samples=_with(source.samples, targets),
        test=None if source.test is None else _with(source.test, test),
        classes=classes,
    )


def _with(samples: Samples, targets: Targets | None) -> Samples:
    return replace(samples, targets=targets)


def _broken(source: Source, reason: str) -> DatasetBroken:
    return DatasetBroken(path=source.name, reason=reason)
