import numpy as np
import pytest

from lampyris_build.data.cleaning import cleaned
from lampyris_build.data.dataset import Feature, Samples, Source
from lampyris_build.errors import DatasetBroken
from lampyris_build.recipe.sources import Cleaning

NAN = float("nan")


def source(ages: list[float], cities: list[str], labels: list[str]) -> Source:
    return Source(
        name="some",
        features=(Feature(name="age", kind="number"), Feature(name="city", kind="category")),
        samples=Samples(
            inputs={"age": np.array(ages, np.float32), "city": np.array(cities, object)},
            targets=np.array(labels, object),
        ),
        notes=("read before",),
    )


TABLE = source([1, NAN, 3, 1, 1], ["a", "b", "", "a", "a"], ["x", "y", "x", "x", ""])


def test_what_is_missing_is_counted_and_left_to_the_model() -> None:
    clean = cleaned(TABLE, Cleaning(), wants_target=False)

    assert len(clean.samples) == 5
    assert clean.notes == (
        "read before",
        "Column 'age' lacks 1 of 5 cells; the model fills them.",
        "Column 'city' lacks 1 of 5 cells; the model fills them.",
        "1 of 5 rows are duplicates; they were kept.",
    )


def test_rows_that_lack_a_cell_go_if_the_recipe_says_so() -> None:
    clean = cleaned(TABLE, Cleaning(missing="drop"), wants_target=False)

    np.testing.assert_array_equal(clean.samples.inputs["age"], [1, 1, 1])
    assert "2 of 5 rows lack a cell; they were left out." in clean.notes


def test_rows_without_a_target_go_where_there_must_be_one() -> None:
    clean = cleaned(TABLE, Cleaning(), wants_target=True)

    assert clean.samples.targets is not None
    assert clean.samples.targets.tolist() == ["x", "y", "x", "x"]
    assert "1 of 5 rows have no target; they were left out." in clean.notes


def test_of_duplicates_the_first_stays_if_the_recipe_says_so() -> None:
    clean = cleaned(TABLE, Cleaning(duplicates="drop"), wants_target=False)

    assert clean.samples.targets is not None
    assert clean.samples.targets.tolist() == ["x", "y", "x", ""], "another target is another row"
    assert "1 of 5 rows are duplicates; they were left out." in clean.notes


def test_rows_that_swap_their_cells_are_no_duplicates() -> None:
    table = Source(
        name="some",
        features=(Feature(name="a", kind="number"), Feature(name="b", kind="number")),
        samples=Samples(
            inputs={"a": np.array([1, 2], np.float32), "b": np.array([2, 1], np.float32)}, targets=None
        ),
    )

    assert len(cleaned(table, Cleaning(duplicates="drop"), wants_target=False).samples) == 2


def test_table_of_which_nothing_is_left_is_told() -> None:
    with pytest.raises(DatasetBroken, match=r"no row is left\. .*1 of 1 rows lack a cell"):
        cleaned(source([NAN], ["a"], ["x"]), Cleaning(missing="drop"), wants_target=True)
