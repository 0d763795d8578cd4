"""Rows of a table that tell nothing or say it again: counted, and left out if the recipe says so."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from lampyris_build.data.dataset import Samples, Source, is_missing
from lampyris_build.data.fingerprints import fingerprints
from lampyris_build.errors import DatasetBroken
from lampyris_build.recipe.sources import Cleaning


def cleaned(source: Source, cleaning: Cleaning, *, wants_target: bool) -> Source:
    """Return a table's rows without those that lack the target, if there must be one, and as `cleaning` says.

    What is missing otherwise stays, to be filled by the exported model; duplicates are rows that are equal in
    every column that is read. Raises: DatasetBroken if no row is left.
    """
    samples, notes = source.samples, list(source.notes)

    def drop(is_bad: NDArray[np.bool_], what: str) -> None:
        nonlocal samples
        if is_bad.any():
            notes.append(f"{is_bad.sum():,} of {len(samples):,} rows {what}; they were left out.")
            samples = samples.take(np.flatnonzero(~is_bad))

    if wants_target and samples.targets is not None:
        drop(is_missing(samples.targets), "have no target")
    if cleaning.missing == "drop":
        lacks_cell = np.zeros(len(samples), np.bool_)
        for values in samples.inputs.values():
            lacks_cell |= is_missing(values)
        drop(lacks_cell, "lack a cell")
    else:
        notes += [
            f"Column {name!r} lacks {missing:,} of {len(samples):,} cells; the model fills them."
            for name, values in samples.inputs.items()
            if (missing := np.count_nonzero(is_missing(values)))
        ]
    is_duplicate = _is_duplicate(samples)
    if cleaning.duplicates == "drop":
        drop(is_duplicate, "are duplicates")
    elif is_duplicate.any():
        notes.append(f"{is_duplicate.sum():,} of {len(samples):,} rows are duplicates; they were kept.")
    if not len(samples):
        raise DatasetBroken(path=source.name, reason=f"no row is left. {' '.join(notes)}")
    return replace(source, samples=samples, notes=tuple(notes))


def _is_duplicate(samples: Samples) -> NDArray[np.bool_]:
    """Say which rows came before, cell for cell."""
    arrays = [*samples.inputs.values(), *(one for one in (samples.targets, samples.keys) if one is not None)]
    _, first = np.unique(fingerprints(arrays), return_index=True)
    is_duplicate = np.ones(len(samples), np.bool_)
    is_duplicate[first] = False
    return is_duplicate
