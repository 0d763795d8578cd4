"""What a column of a table holds, inferred from all its cells, and how its cells become values.

A cell that is empty, or one of `MISSING` in any case, is missing where numbers, dates or booleans are wanted;
in a column of words only the empty cell is. Of the cells that are left:

- a column is of numbers, of booleans (true, false) or of dates (ISO 8601), if at least nine in ten cells are
  such: the others are mistakes, and their rows cannot be read;
- any other is of words: categories, if there are at most `MAX_CATEGORIES` different ones, each found twice on
  average; else texts, if they have two words or more on average; else categories again, if they are at most
  `MAX_CATEGORIES`.

What is none of these, such as names and numbers of customers, tells nothing about rows that are yet to come.
"""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from lampyris_build.recipe.sources import ColumnType

MISSING: Final = ("", "na", "n/a", "#n/a", "nan", "null", "none", "?")
MAX_CATEGORIES: Final = 256
_LEAST_SHARE: Final = 0.9
_LEAST_WORDS: Final = 2.0

# How cells are read: each form but words becomes a number.
Form = Literal["number", "boolean", "date", "words"]
_FORMS: Final[tuple[Form, ...]] = ("number", "boolean", "date")

_NUMBER: Final = r"^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?$|^(?i)[+-]?inf(inity)?$"
_DATE: Final = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}([T ][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,6})?)?)?Z?$"
_MISSING_WORDS: Final = pa.array(MISSING)
# As they are mostly written: these are found at once.
_MISSING_CELLS: Final = pa.array(
    sorted({form for word in MISSING for form in (word, word.upper(), word.capitalize())} | {"NaN"})
)
_MICROSECONDS: Final = pa.timestamp("us")
_DAY_US: Final = 86_400_000_000.0


@dataclass
class Census:
    """What was found in a column so far; `infer` says what it holds.

    `fits` counts the cells that are of each form, `unfit` those of none; cells of words may have several.
    """

    cells: int = 0
    words: int = 0
    fits: dict[Form, int] = field(default_factory=lambda: dict.fromkeys(_FORMS, 0))
    unfit: int = 0
    different: set[str] = field(default_factory=set)

    def count(self, column: pa.Array) -> None:
        cells = column.drop_null()
        if pa.types.is_string(cells.type):
            cells = cells.filter(pc.not_equal(cells, ""))
            self.words += pc.sum(pc.count_substring(cells, " ")).as_py() or 0
        self.cells += len(cells)
        self.words += len(cells)
        if len(self.different) <= MAX_CATEGORIES:
            self.different.update(pc.unique(as_words(cells)).slice(0, MAX_CATEGORIES + 1).to_pylist())
        for form in _FORMS:  # no cell is of two
            values, is_misfit = as_numbers(cells, form)
            self.fits[form] += len(values) - int(np.isnan(values).sum())
            cells = cells.filter(pa.array(is_misfit))
        self.unfit += len(cells)

    def infer(self, wanted: ColumnType | None) -> tuple[Form, ColumnType] | None:
        """Say how to read the column and what it holds: `wanted`, if that is said; None if none can tell."""
        form = max(_FORMS, key=lambda form: self.fits[form])
        if wanted == "number":
            return form, "number"
        if wanted is not None:
            return "words", wanted
        if self.fits[form] and self.fits[form] >= _LEAST_SHARE * (sum(self.fits.values()) + self.unfit):
            return form, "number"
        few = len(self.different) <= MAX_CATEGORIES
        if few and 2 * len(self.different) <= self.cells:
            return "words", "category"
        if self.words >= _LEAST_WORDS * self.cells:
            return "words", "text"
        return ("words", "category") if few else None


def as_numbers(column: pa.Array, form: Form) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Read the cells of a column as numbers, NaN where one is missing or infinite; and say which are misfits.

    True is 1; a date is the number of days since 1970-01-01, in UTC if it says so.
    """
    if not pa.types.is_string(column.type):
        return _values_and_misfits(column, form)
    if form == "number":
        try:
            cells = pc.if_else(pc.is_in(column, _MISSING_CELLS), None, column)
            return _values_and_misfits(pc.cast(cells, pa.float64()), form)
        except pa.ArrowInvalid:  # at least one is none, or has a space before it
            pass
    encoded = as_words(column).dictionary_encode()
    cells = pc.utf8_trim_whitespace(encoded.dictionary)
    cells = pc.if_else(pc.is_in(pc.utf8_lower(cells), _MISSING_WORDS), None, cells)
    values_D, is_misfit_D = _values_and_misfits(cells, form)
    places = encoded.indices.to_numpy()
    return values_D[places], is_misfit_D[places]


def _values_and_misfits(cells: pa.Array, form: Form) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    numbers = _read(cells, form)
    is_misfit = pc.and_(pc.is_valid(cells), pc.is_null(numbers)).to_numpy(zero_copy_only=False)
    values: NDArray[Any] = numbers.to_numpy(zero_copy_only=False).astype(np.float64, copy=False)
    return np.where(np.isfinite(values), values, np.nan), is_misfit


def as_words(column: pa.Array) -> pa.Array:
    """Return the cells of a column as they are written; "" where one is missing."""
    return pc.fill_null(column if pa.types.is_string(column.type) else pc.cast(column, pa.string()), "")


def _read(cells: pa.Array, form: Form) -> pa.Array:
    """Return the cells as float64, null where one is missing or no such thing."""
    match form:
        case "number" if pa.types.is_floating(cells.type):
            return pc.cast(cells, pa.float64())
        case "boolean" if pa.types.is_boolean(cells.type):
            return pc.cast(cells, pa.float64())
        case "date" if pa.types.is_timestamp(cells.type):
            return pc.divide(pc.cast(pc.cast(cells, pa.int64()), pa.float64()), _DAY_US)
        case "number" if pa.types.is_string(cells.type):
            return pc.cast(_matching(cells, _NUMBER), pa.float64())
        case "boolean" if pa.types.is_string(cells.type):
            place = pc.index_in(pc.utf8_lower(cells), pa.array(["false", "true"]), skip_nulls=True)
            return pc.cast(place, pa.float64())
        case "date" if pa.types.is_string(cells.type):
            return _read(_timestamps(_matching(cells, _DATE)), "date")
        case _:
            return pa.nulls(len(cells), pa.float64())


def _matching(cells: pa.Array, pattern: str) -> pa.Array:
    return pc.if_else(pc.match_substring_regex(cells, pattern), cells, None)


def _timestamps(cells: pa.Array) -> pa.Array:
    cells = pc.replace_substring_regex(cells, "Z$", "")
    try:
        return pc.cast(cells, _MICROSECONDS)
    except pa.ArrowInvalid:  # one of them is no day, such as 2026-02-30
        return pa.array([_moment(cell) for cell in cells.to_pylist()], _MICROSECONDS)


def _moment(cell: str | None) -> datetime | None:
    try:
        return None if cell is None else datetime.fromisoformat(cell)
    except ValueError:
        return None
