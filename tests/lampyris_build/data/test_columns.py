from datetime import UTC, datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from lampyris_build.data.columns import MAX_CATEGORIES, Census, Form, as_numbers
from lampyris_build.recipe.sources import ColumnType


def inferred(*batches: list[Any], wanted: ColumnType | None = None) -> tuple[Form, ColumnType] | None:
    census = Census()
    for cells in batches:
        census.count(pa.array(cells))
    return census.infer(wanted)


WORDS = [f"word{place}" for place in range(2 * MAX_CATEGORIES)]


@pytest.mark.parametrize(
    ("cells", "holds"),
    [
        (["1", "-2.5", "+3e-4", " 7 ", ".5", "6.", "inf", "", "NA", "n/a", "?", "NaN"], ("number", "number")),
        (["true", "False", "TRUE", "", "null"], ("boolean", "number")),
        (["2026-03-31", "2026-03-31 08:30", "2026-03-31T08:30:59.25Z", ""], ("date", "number")),
        (["red", "green", "red", "green", ""], ("words", "category")),
        (["red", "green", "blue"], ("words", "category")),
        (["the cat sat", "on a mat", "and slept"], ("words", "text")),
        (["New York", "San Jose"] * 5, ("words", "category")),
        (["1"] * 10 + ["x"], ("number", "number")),
        (["1"] * 8 + ["x", "y"], ("words", "category")),
        (["NA"] * 30 + ["x"] * 3, ("words", "category")),
        (["1", "2026-03-31", "true"], ("words", "category")),
        (["1_000", "1_001", "0x10"], ("words", "category")),
        (WORDS, None),
        ([f"{word} more" for word in WORDS], ("words", "text")),
        ([1.5, None, float("nan")], ("number", "number")),
        ([True, False, None], ("boolean", "number")),
        ([datetime(2026, 3, 31, tzinfo=UTC).replace(tzinfo=None), None], ("date", "number")),
    ],
)
def test_column_holds_what_most_of_its_cells_are(
    cells: list[Any], holds: tuple[Form, ColumnType] | None
) -> None:
    assert inferred(cells) == holds


def test_all_cells_count_not_only_the_first() -> None:
    assert inferred(["1"] * 100, ["red", "blue"] * 60) == ("words", "category")


def test_recipe_knows_better() -> None:
    assert inferred(["1", "2"], wanted="category") == ("words", "category")
    assert inferred(WORDS, wanted="text") == ("words", "text")
    assert inferred(["true", "no"], wanted="number") == ("boolean", "number")


def test_mistakes_are_told_from_what_is_missing() -> None:
    values, is_misfit = as_numbers(pa.array(["1", "x", "", None, "n/A", "inf", " 2"]), "number")

    np.testing.assert_array_equal(values, [1, np.nan, np.nan, np.nan, np.nan, np.nan, 2])
    np.testing.assert_array_equal(is_misfit, [False, True, False, False, False, False, False])


def test_dates_are_days_since_1970() -> None:
    values, is_misfit = as_numbers(pa.array(["1970-01-02", "1970-01-02T12:00Z", "2026-02-30", ""]), "date")

    np.testing.assert_array_equal(values, [1, 1.5, np.nan, np.nan])
    np.testing.assert_array_equal(is_misfit, [False, False, True, False])


def test_moments_of_a_typed_file_are_the_same_days() -> None:
    values, _ = as_numbers(pa.array([datetime(1970, 1, 2, 12)], pa.timestamp("us")), "date")  # noqa: DTZ001 - as Parquet has it

    np.testing.assert_array_equal(values, [1.5])
