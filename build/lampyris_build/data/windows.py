"""From moments of a series to windows of it, made after the split: none has a moment of another set in it.

Shape suffixes: T moments, F features, N windows, L moments of a window.
"""

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from lampyris_build.data.dataset import Dataset, Feature, Inputs, Samples, Source
from lampyris_build.data.keys import moments
from lampyris_build.data.spool import Spool, chunked, gather
from lampyris_build.errors import DatasetBroken, InvalidRecipe
from lampyris_build.recipe.sources import Split, Window


def in_order(split: Split, source: Source) -> Split:
    """Return the split that the rows of a series need: by time, or by group, each with a series of its own.

    Raises: InvalidRecipe if the recipe says otherwise; DatasetBroken if the rows hold other things than
    numbers.
    """
    for feature in source.features:
        if feature.kind != "number":
            raise DatasetBroken(
                path=source.name,
                reason=f"{feature.name!r} is no column of numbers, but {feature.kind}; a [window] is of rows "
                "of numbers. Name them in dataset.columns.",
            )
    if split.by in {"stratified", "random"}:
        raise InvalidRecipe(
            reason=f"split.by is {split.by!r}, and neighbouring windows are nearly the same; with a [window] "
            'it is "time" or "group".'
        )
    return Split(by=split.by or "time", column=split.column, test=split.test, validation=split.validation)


def windowed(dataset: Dataset, window: Window, split: Split) -> Dataset:
    """Return the dataset with windows (N, L, F) of its rows, and the target `horizon` rows after each.

    Rows stand in the order of `split.column`, if it is by time; a window has rows of one group, if it is by
    group.
    Raises: DatasetBroken if a set is shorter than a window.
    """
    names = tuple(feature.name for feature in dataset.features)
    sets = {
        part: _windows(dataset.name, f"{part} set", samples, window, split)
        for part, samples in (
            ("training", dataset.train),
            ("validation", dataset.validation),
            ("test", dataset.test),
        )
    }
    return replace(
        dataset,
        features=(Feature(name="series", kind="series", shape=(window.length, len(names))),),
        train=sets["training"],
        validation=sets["validation"],
        test=sets["test"],
        notes=(*dataset.notes, f"A row of 'series' has {', '.join(names)}, in this order."),
    )


def _windows(name: str, what: str, samples: Samples, window: Window, split: Split) -> Samples:
    horizon = 0 if samples.targets is None else window.horizon
    span = window.length + horizon
    if samples.keys is not None:
        keys = samples.keys if split.by == "group" else moments(name, samples.keys)
        samples = samples.take(np.argsort(keys, kind="stable"))
    rows_TF = _block(samples.inputs)
    starts = np.concatenate(
        [
            np.arange(first, end - span + 1, window.stride)
            for first, end in _runs(samples.keys if split.by == "group" else None, len(samples))
        ]
    )
    if not len(starts):
        raise DatasetBroken(
            path=name,
            reason=f"the {what} has {len(samples):,} rows in a run, fewer than the {span:,} that a window "
            "and its target take; lower window.length or window.horizon, or bring more rows.",
        )
    last = starts + span - 1
    return Samples(
        inputs={"series": _at(rows_TF, window.length, starts)},
        targets=None if samples.targets is None else samples.targets[last],
        keys=None if samples.keys is None else samples.keys[last],
    )


def _block(inputs: Inputs) -> NDArray[Any]:
    """Put columns side by side, (T, F)."""
    columns = list(inputs.values())
    spool = Spool(np.float32, (len(columns),))
    for part in chunked(columns[0], len(columns[0])):
        spool.append(np.stack([column[part] for column in columns], axis=1))
    return spool.finish()


def _at(rows_TF: NDArray[Any], length: int, starts_N: NDArray[np.int64]) -> NDArray[Any]:
    """Return the windows (N, L, F) that begin there; if all are equally far apart, as a view of the rows."""
    every = sliding_window_view(rows_TF, length, axis=0, writeable=True).transpose(0, 2, 1)
    steps = np.diff(starts_N)
    if (steps == steps[:1]).all():
        return every[starts_N[0] : starts_N[-1] + 1 : steps[0] if len(steps) else 1]
    return gather({"series": every}, starts_N)["series"]


def _runs(groups: NDArray[Any] | None, count: int) -> list[tuple[int, int]]:
    """Return where the rows of each group begin and end."""
    if groups is None:
        return [(0, count)]
    bounds = (np.flatnonzero(groups[1:] != groups[:-1]) + 1).tolist()
    return list(zip([0, *bounds], [*bounds, count], strict=True))
