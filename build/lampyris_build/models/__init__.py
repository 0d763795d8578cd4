"""Networks: one file for each architecture. All map normalised inputs to logits."""

from typing import assert_never

from torch import nn

from lampyris_build.data.dataset import Dataset
from lampyris_build.errors import InvalidRecipe
from lampyris_build.models.cnn import Cnn
from lampyris_build.models.mlp import Mlp
from lampyris_build.recipe import CnnModel, MlpModel, Recipe


def network_for(recipe: Recipe, dataset: Dataset) -> nn.Module:
    """Make the recipe's network, with random weights, for what the dataset holds.

    Raises: InvalidRecipe if the architecture cannot take it.
    """
    model = recipe.model
    match model:
        case CnnModel() if not dataset.holds_images:
            raise InvalidRecipe(
                recipe=recipe.name,
                reason=f"model.architecture cnn takes pictures, but {dataset.name} holds vectors; use mlp.",
            )
        case CnnModel():
            return Cnn(model, dataset.sample_shape, len(dataset.classes))
        case MlpModel():
            return Mlp(model, dataset.sample_shape, len(dataset.classes))
        case _:
            assert_never(model)
