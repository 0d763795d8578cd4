from typing import Any

import pytest

from lampyris_build.compression.order import check_steps
from lampyris_build.errors import InvalidRecipe
from lampyris_build.recipe import Recipe
from lampyris_build.recipe.reading import recipe_of

PRUNING = {"step": "unstructured-pruning", "share": 0.5}
ROUNDING = {"step": "quantization-aware-training"}
INT8 = {"step": "static-int8"}


def recipe_with(*steps: dict[str, Any], **others: Any) -> Recipe:
    document: dict[str, Any] = {
        "name": "wine",
        "dataset": {"source": "sklearn", "name": "wine"},
        "model": {"architecture": "mlp"},
        "training": {"epochs": 1},
        "compression": {"steps": list(steps)},
    }
    return recipe_of({**document, **others}, "wine.toml")


def test_what_trains_comes_before_what_changes_the_file() -> None:
    check_steps(recipe_with(PRUNING, ROUNDING, INT8))

    with pytest.raises(
        InvalidRecipe, match=r"unstructured-pruning trains a network, which static-int8 leaves none of"
    ):
        check_steps(recipe_with(INT8, PRUNING))


@pytest.mark.parametrize("after", [[], [{"step": "fp16"}], [{"step": "static-int8", "per_channel": False}]])
def test_rounded_training_is_for_the_static_int8_that_follows(after: list[dict[str, Any]]) -> None:
    with pytest.raises(InvalidRecipe, match="prepares for static-int8 per channel, which must come next"):
        check_steps(recipe_with(ROUNDING, *after))


def test_a_model_that_is_not_trained_here_takes_only_changes_to_its_file() -> None:
    recipe = recipe_of(
        {
            "name": "wine",
            "dataset": {"source": "sklearn", "name": "wine"},
            "model": {"architecture": "random-forest"},
            "compression": {"steps": [PRUNING]},
        },
        "wine.toml",
    )

    with pytest.raises(InvalidRecipe, match="this model is none that is trained here"):
        check_steps(recipe)


def test_a_gan_is_not_trained_by_a_step() -> None:
    with pytest.raises(InvalidRecipe, match="a GAN has two"):
        check_steps(recipe_with(PRUNING, task="generation", model={"architecture": "gan"}))
