from pathlib import Path

import pytest

from lampyris_build.data import load_dataset
from lampyris_build.recipe import Recipe, load_recipe
from lampyris_build.tuning.trials import Trials

RECIPE = """
name = "flowers"
[dataset]
source = "sklearn"
name = "iris"
[model]
architecture = "{architecture}"
"""


def of(folder: Path, architecture: str) -> Recipe:
    path = folder / "flowers.toml"
    path.write_text(RECIPE.format(architecture=architecture))
    return load_recipe(path)


@pytest.mark.parametrize("damage", [b"", b"{"])
def test_record_that_is_damaged_is_no_outcome(tmp_path: Path, damage: bytes) -> None:
    recipe = of(tmp_path, "linear-regression")
    trials = Trials(load_dataset(recipe), tmp_path)
    trials.training(recipe).with_suffix(".json").write_bytes(damage)

    outcome = trials.run(recipe)

    assert "predicts numbers" in outcome.failure


def test_failure_is_not_kept_as_it_may_have_another_reason_next_time(tmp_path: Path) -> None:
    recipe = of(tmp_path, "linear-regression")

    Trials(load_dataset(recipe), tmp_path / "tuning").run(recipe)

    assert not list(tmp_path.glob("tuning/*.json"))
