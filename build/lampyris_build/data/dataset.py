"""A dataset as the build sees it: raw inputs, labels, names of the classes, in three sets."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from lampyris_build.errors import DatasetBroken

# A file may claim any size: no more than this is read into memory.
MAX_BYTES: Final = 4 * 1024**3
_IMAGE_RANK: Final = 4
_VECTOR_RANK: Final = 2


@dataclass(frozen=True, kw_only=True)
class Samples:
    """Inputs as callers will send them, and the index of each one's class.

    Shapes: pictures (N, height, width, channels) uint8, 0 to 255, or vectors (N, features) float32;
    labels (N,) int64.
    """

    inputs: NDArray[Any]
    labels: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, index: NDArray[np.int64]) -> "Samples":
        return Samples(inputs=self.inputs[index], labels=self.labels[index])


@dataclass(frozen=True, kw_only=True)
class Source:
    """What a source holds: one set, or a training set with the test set that came with it."""

    name: str
    classes: tuple[str, ...]
    samples: Samples
    test: Samples | None = None

    @property
    def digest(self) -> str:
        """Name the content: the SHA-256 over classes, shapes, dtypes and values."""
        sha256 = hashlib.sha256(repr(self.classes).encode())
        for samples in (self.samples, self.test):
            if samples is not None:
                for array in (samples.inputs, samples.labels):
                    sha256.update(f"{array.shape}{array.dtype.str}".encode())
                    sha256.update(np.ascontiguousarray(array).data)
        return sha256.hexdigest()


@dataclass(frozen=True, kw_only=True)
class Dataset:
    """Three sets: `train` finds the weights, `validation` is watched meanwhile, `test` is measured last."""

    name: str
    digest: str
    classes: tuple[str, ...]
    train: Samples
    validation: Samples
    test: Samples

    @property
    def sample_shape(self) -> tuple[int, ...]:
        """(height, width, channels) of a picture, or (features,)."""
        return self.train.inputs.shape[1:]

    @property
    def holds_images(self) -> bool:
        return self.train.inputs.ndim == _IMAGE_RANK


def source_of(
    path: Path | str, classes: Sequence[str], samples: Samples, test: Samples | None = None
) -> Source:
    """Hold what a source read against what every build needs.

    Raises: DatasetBroken if there is nothing to learn from, if labels and inputs do not go together,
    or if the test set looks different from the training set.
    """
    _check_set(path, "training set", samples, len(classes))
    if test is not None:
        _check_set(path, "test set", test, len(classes))
    if test is not None and test.inputs.shape[1:] != samples.inputs.shape[1:]:
        raise DatasetBroken(
            path=path,
            reason=f"a sample has shape {samples.inputs.shape[1:]} in the training set, "
            f"but {test.inputs.shape[1:]} in the test set.",
        )
    counts = np.bincount(samples.labels, minlength=len(classes))
    if len(classes) < 2:  # noqa: PLR2004 - to classify is to choose between two at least
        raise DatasetBroken(path=path, reason="it has a single class; a classifier needs two at least.")
    if counts.min() == 0:
        raise DatasetBroken(
            path=path, reason=f"class {classes[int(counts.argmin())]!r} has no sample to learn from."
        )
    return Source(name=Path(path).name, classes=tuple(classes), samples=samples, test=test)


def _check_set(path: Path | str, what: str, one: Samples, classes: int) -> None:
    if len(one) == 0:
        raise DatasetBroken(path=path, reason=f"the {what} is empty.")
    if len(one.inputs) != len(one.labels):
        raise DatasetBroken(
            path=path,
            reason=f"the {what} has {len(one.inputs):,} inputs, but {len(one.labels):,} labels.",
        )
    if one.inputs.size == 0:
        raise DatasetBroken(
            path=path,
            reason=f"a sample of the {what} has shape {one.inputs.shape[1:]}, which holds nothing.",
        )
    if one.labels.min() < 0 or one.labels.max() >= classes:
        raise DatasetBroken(
            path=path,
            reason=f"the labels of the {what} go from {one.labels.min()} to {one.labels.max()}; "
            f"with {classes} classes they go from 0 to {classes - 1}.",
        )
    if one.inputs.ndim == _VECTOR_RANK and not np.isfinite(one.inputs).all():
        raise DatasetBroken(path=path, reason=f"the {what} holds NaN or infinity; fill or drop those rows.")


def name_classes(
    labels: NDArray[Any], test_labels: NDArray[Any] | None = None
) -> tuple[tuple[str, ...], NDArray[np.int64], NDArray[np.int64]]:
    """Call the classes as their labels are, in order; return their names, and the labels as indices."""
    both = labels if test_labels is None else np.concatenate([labels, test_labels])
    values, index = np.unique(both, return_inverse=True)
    index = index.astype(np.int64)
    return tuple(str(value) for value in values), index[: len(labels)], index[len(labels) :]
