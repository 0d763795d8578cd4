"""Divide a source into three sets, class by class, the same way for the same seed."""

import numpy as np
from numpy.typing import NDArray

from lampyris_build.data.dataset import Dataset, Samples, Source
from lampyris_build.errors import DatasetBroken


def split(source: Source, *, test_fraction: float, validation_fraction: float, seed: int) -> Dataset:
    """Take the test set from the source unless it brought one, then the validation set from the rest.

    Raises: DatasetBroken if a class is too small to be in every set.
    """
    rng = np.random.default_rng(seed)
    rest, test = source.samples, source.test
    if test is None:
        rest, test = _take(source, rest, test_fraction, rng)
    train, validation = _take(source, rest, validation_fraction, rng)
    return Dataset(
        name=source.name,
        digest=source.digest,
        classes=source.classes,
        train=train,
        validation=validation,
        test=test,
    )


def _take(
    source: Source, samples: Samples, fraction: float, rng: np.random.Generator
) -> tuple[Samples, Samples]:
    """Return what is left, and what was taken: `fraction` of every class, one sample at least."""
    taken: list[NDArray[np.int64]] = []
    left: list[NDArray[np.int64]] = []
    for label, name in enumerate(source.classes):
        members = rng.permutation(np.flatnonzero(samples.labels == label))
        count = max(1, round(len(members) * fraction))
        if count >= len(members):
            raise DatasetBroken(
                path=source.name,
                reason=f"class {name!r} has too few samples to be in the training, validation and test set; "
                "add some, or lower dataset.test_fraction and dataset.validation_fraction.",
            )
        taken.append(members[:count])
        left.append(members[count:])
    return samples.take(rng.permutation(np.concatenate(left))), samples.take(
        rng.permutation(np.concatenate(taken))
    )
