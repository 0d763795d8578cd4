"""A table's rows to inputs, a column each: read once to find what columns hold, once more for the values.

Neither reading holds more than a batch, save for what it gives: numbers, which move to a file if they are
many, and words, of which every category is held once.
"""

import difflib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from lampyris_build.data.bad_rows import BadRows, Report, shown
from lampyris_build.data.columns import MAX_CATEGORIES, Census, Form, as_numbers, as_words
from lampyris_build.data.dataset import Feature, Samples, Source
from lampyris_build.data.spool import Spool
from lampyris_build.errors import DatasetBroken
from lampyris_build.recipe.sources import ColumnType

_SHOWN: Final = 20  # columns
_WANTED: Final[dict[Form, str]] = {
    "number": "no number",
    "boolean": "neither true nor false",
    "date": "no date",
}
_TOLD: Final[dict[Form, str]] = {
    "boolean": "holds true and false, which are sent as 1 and 0",
    "date": "holds dates, which are sent as days since 1970-01-01",
}


class Rows(Protocol):
    """A table's file; its cells are words, float64, booleans, or timestamps in microseconds."""

    @property
    def path(self) -> Path: ...

    @property
    def names(self) -> tuple[str, ...]: ...

    def batches(self, names: Sequence[str], unread: Report) -> Iterator[pa.RecordBatch]: ...


@dataclass(frozen=True, kw_only=True)
class Columns:
    """Which columns a build reads: inputs (all others, if none is named), the target, and the split's key.

    `types` says what some hold; `is_series` that the target's past is an input, too.
    """

    inputs: tuple[str, ...]
    target: str | None
    key: str | None
    types: Mapping[str, ColumnType]
    is_series: bool


@dataclass(frozen=True, kw_only=True)
class _Column:
    name: str
    form: Form
    holds: ColumnType

    def read(self, cells: pa.Array) -> tuple[NDArray[Any], NDArray[np.bool_]]:
        """Return the values of cells, numbers or words, and which cells are misfits."""
        if self.form != "words":
            return as_numbers(cells, self.form)
        encoded = as_words(cells).dictionary_encode()
        words = np.array(encoded.dictionary.to_pylist(), object)
        return words[encoded.indices.to_numpy()], np.zeros(len(cells), np.bool_)


def read_table(rows: Rows, columns: Columns, *, max_bad_rows: float) -> Source:
    """Read a table: an input for each column, (N,) float32 with NaN where a number is missing, or (N,) words.

    Raises: DatasetBroken if a column is not there, if nobody can tell what it holds, or if too many rows
    cannot be read.
    """
    _check_header(rows.path, rows.names)
    for name in (*columns.inputs, *columns.types, columns.target, columns.key):
        if name is not None and name not in rows.names:
            raise _missing(rows, name)
    if columns.target in columns.inputs and not columns.is_series:
        raise _broken(rows, f"dataset.columns names {columns.target!r}, which is what is to be predicted.")
    wanted = columns.inputs or _all_others(rows, columns)
    if not wanted:
        raise _broken(rows, "it has no column left to predict from.")
    read, notes = _infer(rows, wanted, columns)
    inputs = [read[name] for name in wanted if name in read]
    if not inputs:
        raise _broken(rows, "all columns to predict from are empty.")
    samples, bad = _read(rows, inputs, read, columns)
    left_out = bad.note(rows.path, len(samples), max_bad_rows)
    return Source(
        name=rows.path.name,
        features=tuple(Feature(name=column.name, kind=column.holds) for column in inputs),
        samples=samples,
        notes=(*notes, *([left_out] if left_out else ())),
    )


def _all_others(rows: Rows, columns: Columns) -> tuple[str, ...]:
    others = {columns.key} if columns.is_series else {columns.key, columns.target}
    return tuple(name for name in rows.names if name not in others)


def _infer(rows: Rows, wanted: Sequence[str], columns: Columns) -> tuple[dict[str, _Column], list[str]]:
    """Find what each column holds, and what there is to say about that."""
    names = tuple(dict.fromkeys((*wanted, *filter(None, (columns.target, columns.key)))))
    census = {name: Census() for name in names}
    for batch in rows.batches(names, lambda _: None):
        for name, one in census.items():
            one.count(batch.column(name))
    if not any(one.cells for one in census.values()):
        raise _broken(rows, "it holds no rows.")
    read, notes = {}, []
    for name, one in census.items():
        if not one.cells and name not in {columns.target, columns.key}:
            if name in columns.inputs:
                raise _broken(rows, f"its column {name!r} is empty; leave it out of dataset.columns.")
            notes.append(f"Column {name!r} is empty, and left out.")
            continue
        inferred = one.infer(columns.types.get(name))
        if inferred is None and name in wanted:
            raise _broken(
                rows,
                f"its column {name!r} holds more than {MAX_CATEGORIES} different words, which is too many "
                "for categories, and one a cell, which is too few for texts. If it is an identifier, name "
                "the other columns in "
                f'dataset.columns; else say what it is in dataset.types: {name!r} = "category" or "text".',
            )
        form, holds = inferred or ("words", "category")
        if name == columns.target and form == "boolean" and name not in columns.types:
            form, holds = "words", "category"  # they name two classes
        read[name] = _Column(name=name, form=form, holds=holds)
        if name in wanted and form in _TOLD:
            notes.append(f"Column {name!r} {_TOLD[form]}.")
    return read, notes


def _read(
    rows: Rows, inputs: Sequence[_Column], read: Mapping[str, _Column], columns: Columns
) -> tuple[Samples, BadRows]:
    bad = BadRows()
    numbers = [column for column in inputs if column.form != "words"]
    spool = Spool(np.float32, (len(numbers),))
    held = [
        column
        for column in read.values()
        if column.form == "words" or column.name in {columns.target, columns.key}
    ]
    parts: dict[str, list[NDArray[Any]]] = {column.name: [] for column in held}
    for batch in rows.batches(tuple(read), bad.add):
        values, is_good = _good(batch, read, bad)
        if numbers:
            with np.errstate(over="ignore"):  # beyond float32 is infinite, which is as good as missing
                block = np.stack([values[column.name] for column in numbers], axis=1).astype(np.float32)
            spool.append(np.where(np.isfinite(block), block, np.float32("nan"))[is_good])
        for name, arrays in parts.items():
            arrays.append(values[name][is_good])
    block = spool.finish()
    whole = {
        name: np.concatenate(arrays) if arrays else np.empty(0, object) for name, arrays in parts.items()
    }
    whole_inputs = {column.name: block[:, place] for place, column in enumerate(numbers)}
    return (
        Samples(
            inputs={
                column.name: whole_inputs[column.name] if column.form != "words" else whole[column.name]
                for column in inputs
            },
            targets=None if columns.target is None else whole[columns.target],
            keys=None if columns.key is None else whole[columns.key],
        ),
        bad,
    )


def _good(
    batch: pa.RecordBatch, read: Mapping[str, _Column], bad: BadRows
) -> tuple[dict[str, NDArray[Any]], NDArray[np.bool_]]:
    """Read a batch; return its values, and which rows hold no misfit."""
    is_good = np.ones(batch.num_rows, np.bool_)
    values = {}
    for name, column in read.items():
        values[name], is_misfit = column.read(batch.column(name))
        for place in np.flatnonzero(is_misfit & is_good):
            cell = as_words(batch.column(name).slice(place, 1))[0].as_py()
            bad.add(f"{name} is {shown(cell)}, which is {_WANTED[column.form]}")
        is_good &= ~is_misfit
    return values, is_good


def _check_header(path: Path, names: Sequence[str]) -> None:
    if not names:
        raise DatasetBroken(path=path, reason="it holds no rows that can be read.")
    for name in names:
        if not name:
            raise DatasetBroken(path=path, reason="a column has no name; every one needs a name of its own.")
        if names.count(name) > 1:
            raise DatasetBroken(
                path=path, reason=f"two columns are called {name!r}; every one needs its own name."
            )


def _missing(rows: Rows, name: str) -> DatasetBroken:
    nearest = difflib.get_close_matches(name, rows.names, n=1)
    hint = f"did you mean {nearest[0]!r}? It" if nearest else "it"
    known = ", ".join(rows.names[:_SHOWN]) + (", …" if len(rows.names) > _SHOWN else "")
    return _broken(rows, f"there is no column {name!r}; {hint} has {known}.")


def _broken(rows: Rows, reason: str) -> DatasetBroken:
    return DatasetBroken(path=rows.path, reason=reason)
