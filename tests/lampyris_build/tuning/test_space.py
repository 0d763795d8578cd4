from pathlib import Path

import optuna
import pytest
from optuna.trial import FixedTrial

from lampyris_build.errors import InvalidRecipe
from lampyris_build.recipe import Recipe, load_recipe
from lampyris_build.recipe.models import LogisticModel, MlpModel
from lampyris_build.tuning.space import changed, check_space, combinations, draw

RECIPE = """
name = "flowers"
seed = 3
[dataset]
source = "sklearn"
name = "iris"
[model]
architecture = "mlp"
hidden = [8]
[training]
epochs = 2
learning_rate = 1e-2
[tune]
trials = 4
[tune.space]
"""
FAMILIES = 'model = [{ architecture = "mlp" }, { architecture = "logistic-regression" }]'


def spanning(tmp_path: Path, space: str) -> Recipe:
    path = tmp_path / "recipe.toml"
    path.write_text(RECIPE + space)
    return load_recipe(path)


def test_a_trial_is_the_recipe_with_what_it_chose(tmp_path: Path) -> None:
    recipe = spanning(tmp_path, '"training.learning_rate" = { low = 1e-3, high = 1e-1, log = true }')

    drawn = draw(recipe, FixedTrial({"training.learning_rate": 0.05}))

    assert drawn == changed(recipe, "training.learning_rate", 0.05)
    assert drawn.training is not None
    assert drawn.training.learning_rate == 0.05


def test_whole_numbers_stay_whole(tmp_path: Path) -> None:
    recipe = spanning(tmp_path, '"training.epochs" = { low = 1, high = 9, whole = true }')

    drawn = draw(recipe, optuna.create_study().ask())

    assert drawn.training is not None
    assert 1 <= drawn.training.epochs <= 9


def test_a_key_of_one_family_is_asked_of_that_family_alone(tmp_path: Path) -> None:
    recipe = spanning(tmp_path, FAMILIES + '\n"model.hidden" = [[4], [16]]')
    check_space(recipe)

    network = draw(recipe, FixedTrial({"model": '{"architecture":"mlp"}', "model.hidden": "[16]"}))
    estimator = draw(recipe, FixedTrial({"model": '{"architecture":"logistic-regression"}'}))

    assert network.model == MlpModel(hidden=(16,))
    assert estimator.model == LogisticModel()


def test_estimators_are_fitted_without_training(tmp_path: Path) -> None:
    recipe = spanning(tmp_path, FAMILIES)

    assert changed(recipe, "model", {"architecture": "logistic-regression"}).training is None
    assert changed(recipe, "model", {"architecture": "mlp"}).training == recipe.training


def test_all_combinations_are_tried_where_they_are_few(tmp_path: Path) -> None:
    few = spanning(tmp_path, FAMILIES + '\n"training.epochs" = [1, 2]')
    many = spanning(tmp_path, FAMILIES + '\n"training.epochs" = [1, 2, 3]')
    endless = spanning(tmp_path, '"training.learning_rate" = { low = 1e-3, high = 1e-1 }')

    assert len(list(combinations(few) or ())) == 4
    assert combinations(many) is None
    assert combinations(endless) is None


@pytest.mark.parametrize(
    ("space", "told"),
    [
        ("", "[tune.space] is missing"),
        ('"training.rate" = [1]', "there is no 'training.rate' in the recipe"),
        ('"model.channels" = [[1]]', "there is no 'model.channels'"),
        ('"dataset.name" = ["wine"]', "in none of the tables that can be compared"),
        ('"model.architecture" = ["cnn"]', "models are compared as whole tables"),
        ('"training.epochs" = [1, 0]', "with training.epochs = 0, training.epochs: expected `int` >= 1"),
        ('model = [{ architecture = "mlq" }]', "did you mean 'mlp'?"),
    ],
)
def test_mistake_in_the_space_is_told_before_anything_is_trained(
    tmp_path: Path, space: str, told: str
) -> None:
    with pytest.raises(InvalidRecipe) as raised:
        check_space(spanning(tmp_path, space))

    assert told.replace("`", "") in str(raised.value)


@pytest.mark.parametrize(
    ("range_", "told"),
    [
        ("{ low = 2, high = 1 }", "low must be less than high"),
        ("{ low = 0, high = 1, log = true }", "low must be more than 0"),
        ("{ low = 0.5, high = 2, whole = true }", "must be whole numbers"),
        ("[]", "tune.space"),
    ],
)
def test_impossible_candidates_are_told_when_the_recipe_is_read(
    tmp_path: Path, range_: str, told: str
) -> None:
    with pytest.raises(InvalidRecipe, match=r"tune\.space") as raised:
        spanning(tmp_path, f'"training.learning_rate" = {range_}')

    assert told in str(raised.value)
