"""Several sources as one: what they hold is learnt from, or only measured on."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from lampyris_build.data.dataset import Samples, Source
from lampyris_build.data.spool import concatenate
from lampyris_build.errors import DatasetBroken, InvalidRecipe

Part = Literal["all", "train", "test"]


def joined(sources: Sequence[tuple[Source, Part]]) -> Source:
    """Put sources together, whose inputs must be the same.

    What "all" holds is learnt from, and its own test set measured on; of "train" the latter is left out; what
    "test" holds is only measured on, its own test set too.
    Raises: DatasetBroken if they hold different things; InvalidRecipe if nothing would be learnt from or
    measured on.
    """
    first = sources[0][0]
    for source, _ in sources[1:]:
        _check_alike(first, source)
    is_alike = all(source.classes == first.classes for source, _ in sources)
    taken = [(source if is_alike else _with_words(source), part) for source, part in sources]
    train = [source.samples for source, part in taken if part != "test"]
    test = [source.samples for source, part in taken if part == "test"]
    test += [source.test for source, part in taken if part != "train" and source.test is not None]
    if not train:
        raise InvalidRecipe(reason='every dataset is part = "test"; one must be learnt from.')
    if not test and any(part == "train" for _, part in sources):
        raise InvalidRecipe(
            reason='no dataset has a test set, and part = "train" keeps one from being taken from it; add '
            'one with part = "test", or leave part out.'
        )
    name = " + ".join(dict.fromkeys(source.name for source, _ in sources))
    return Source(
        name=name,
        features=first.features,
        samples=_concatenated(name, train),
        test=_concatenated(name, test) if test else None,
        classes=first.classes if is_alike else None,
        notes=tuple(
            f"{source.name}: {note}" if len(sources) > 1 else note
            for source, _ in sources
            for note in source.notes
        ),
    )


def _check_alike(first: Source, other: Source) -> None:
    if first.features == other.features:
        return
    came = {feature.name: feature for feature in other.features}
    for feature in first.features:
        one = came.get(feature.name)
        if one != feature:
            has = "has none" if one is None else f"holds {one.kind} of shape {one.shape}"
            raise DatasetBroken(
                path=other.name,
                reason=f"{first.name} has an input {feature.name!r}, {feature.kind} of shape "
                f"{feature.shape}; this one {has}. All datasets of a recipe must hold the same inputs.",
            )
    raise DatasetBroken(path=other.name, reason=f"it has more inputs than {first.name}: {', '.join(came)}.")


def _with_words(source: Source) -> Source:
    """Return the source with the names of its classes as targets."""
    if source.classes is None:
        return source
    names = np.array(source.classes, object)

    def named(samples: Samples) -> Samples:
        return samples if samples.targets is None else replace(samples, targets=names[samples.targets])

    return replace(
        source, samples=named(source.samples), test=source.test and named(source.test), classes=None
    )


def _concatenated(name: str, several: Sequence[Samples]) -> Samples:
    return Samples(
        inputs=concatenate([samples.inputs for samples in several]),
        targets=_one(name, "targets", [samples.targets for samples in several]),
        keys=_one(name, "split.column", [samples.keys for samples in several]),
    )


def _one(name: str, what: str, arrays: Sequence[NDArray[Any] | None]) -> NDArray[Any] | None:
    """Put arrays together, if all are there. Raises: DatasetBroken if not all hold the same."""
    there = [array for array in arrays if array is not None]
    if not there:
        return None
    if len(there) < len(arrays):
        raise DatasetBroken(path=name, reason=f"only {len(there)} of {len(arrays)} datasets have {what}.")
    if len({array.dtype.kind in "OU" for array in there}) > 1:
        raise DatasetBroken(path=name, reason=f"some datasets have words as {what}, some numbers.")
    if len({array.shape[1:] for array in there}) > 1:
        raise DatasetBroken(path=name, reason=f"the {what} of the datasets have different shapes.")
    return there[0] if len(there) == 1 else np.concatenate(there)
