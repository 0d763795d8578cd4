"""A dataset as the build sees it: raw inputs by name, targets, in three sets."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from lampyris.domain.datatypes import Datatype
from lampyris.domain.signature import DYNAMIC, TensorSpec
from lampyris_build.data.spool import gather

# A file may claim any size: no more than this is read into memory.
MAX_BYTES: Final = 4 * 1024**3
_DIGEST_ROWS: Final = 4096

# What an input holds: pictures, vectors, windows of a series, tokens, or one column of a table.
Kind = Literal["image", "vector", "series", "tokens", "number", "category", "text"]
_DATATYPES: Final[dict[Kind, Datatype]] = {
    "image": "UINT8",
    "vector": "FP32",
    "series": "FP32",
    "tokens": "INT64",
    "number": "FP32",
    "category": "BYTES",
    "text": "BYTES",
}

# Raw inputs by the names that callers use; in every array the first axis counts the samples.
Inputs = Mapping[str, NDArray[Any]]


@dataclass(frozen=True, kw_only=True)
class Feature:
    """An input as callers send it; `shape` is that of one sample.

    Shapes: (height, width, channels) of a picture, (features,) of a vector, (length, features) of a series,
    (length,) of tokens, () of a column of a table.
    """

    name: str
    kind: Kind
    shape: tuple[int, ...] = ()

    @property
    def spec(self) -> TensorSpec:
        return TensorSpec(name=self.name, datatype=_DATATYPES[self.kind], shape=(DYNAMIC, *self.shape))


@dataclass(frozen=True, kw_only=True)
class Samples:
    """Inputs as callers will send them, and what is to be found in each.

    Numbers are float32 (NaN where one is missing), pixels uint8, tokens int64, categories and texts objects
    of `str` ("" where one is missing). Targets are (N,) int64 (the index of a class), (N,) or (N, T) float32,
    or (N, length) int64 (the token after each); None where there is nothing but the inputs. `keys` is the
    column by which rows are split, if there is one: numbers, or objects of `str`.
    Arrays may be memory-mapped files: whoever reads them goes batch by batch.
    """

    inputs: Inputs
    targets: NDArray[Any] | None
    keys: NDArray[Any] | None = None

    def __len__(self) -> int:
        return len(next(iter(self.inputs.values())))

    def take(self, index: NDArray[np.int64] | slice) -> "Samples":
        """Return the samples at some places; many are gathered in a file, as `spool.gather` says."""
        if isinstance(index, slice):
            inputs = {name: values[index] for name, values in self.inputs.items()}
        else:
            inputs = gather(self.inputs, index)
        return Samples(
            inputs=inputs,
            targets=None if self.targets is None else self.targets[index],
            keys=None if self.keys is None else self.keys[index],
        )


def is_missing(values: NDArray[Any]) -> NDArray[np.bool_]:
    """Say which numbers or words are missing, as `Samples` has them."""
    missing: NDArray[np.bool_] = values == "" if values.dtype == object else np.isnan(values)
    return np.asarray(missing, np.bool_)


@dataclass(frozen=True, kw_only=True)
class Source:
    """What a source holds: one set, or a training set with the test set that came with it.

    Targets are as they were found: words, integers or numbers; `classes` names them where they are indices.
    `notes` says what cleaning did, line by line, for whoever builds.
    """

    name: str
    features: tuple[Feature, ...]
    samples: Samples
    test: Samples | None = None
    classes: tuple[str, ...] | None = None
    notes: tuple[str, ...] = ()

    @property
    def digest(self) -> str:
        """Name the content: the SHA-256 over features, classes, shapes, dtypes and values."""
        sha256 = hashlib.sha256(repr((self.features, self.classes)).encode())
        for samples in (self.samples, self.test):
            if samples is not None:
                for array in (*samples.inputs.values(), samples.targets, samples.keys):
                    if array is not None:
                        _update(sha256, array)
        return sha256.hexdigest()


def _update(sha256: "hashlib._Hash", array: NDArray[Any]) -> None:
    sha256.update(f"{array.shape}{array.dtype.str}".encode())
    for start in range(0, len(array), _DIGEST_ROWS):
        rows = array[start : start + _DIGEST_ROWS]
        if rows.dtype == object:
            sha256.update("\0".join(map(str, rows.ravel())).encode())
        else:
            sha256.update(np.ascontiguousarray(rows).data)


@dataclass(frozen=True, kw_only=True)
class Dataset:
    """Three sets: `train` finds the weights, `validation` is watched meanwhile, `test` is measured last.

    `classes` names the classes where the targets are their indices; None in every other task.
    """

    name: str
    digest: str
    features: tuple[Feature, ...]
    classes: tuple[str, ...] | None
    train: Samples
    validation: Samples
    test: Samples
    notes: tuple[str, ...] = ()

    @property
    def holds_images(self) -> bool:
        return len(self.features) == 1 and self.features[0].kind == "image"
