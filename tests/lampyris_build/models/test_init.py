import msgspec
import pytest
import torch

from lampyris_build.data import load_dataset
from lampyris_build.errors import InvalidRecipe
from lampyris_build.models import network_for
from lampyris_build.recipe import CnnModel, MlpModel, Recipe, SklearnDataset


@pytest.mark.parametrize(
    ("model", "source"),
    [
        (CnnModel(channels=(4, 8)), SklearnDataset(name="digits")),
        (CnnModel(channels=(4, 4, 4, 4, 4)), SklearnDataset(name="digits")),
        (MlpModel(hidden=(8,), dropout=0.1), SklearnDataset(name="iris")),
        (MlpModel(hidden=()), SklearnDataset(name="wine")),
    ],
    ids=["cnn", "cnn-down-to-one-pixel", "mlp", "linear"],
)
def test_network_maps_normalised_inputs_to_one_logit_a_class(
    recipe: Recipe, model: CnnModel | MlpModel, source: SklearnDataset
) -> None:
    recipe = msgspec.structs.replace(recipe, model=model, dataset=source)
    dataset = load_dataset(recipe)
    shape = dataset.sample_shape
    normalised = torch.zeros(5, *((shape[2], *shape[:2]) if dataset.holds_images else shape))

    logits = network_for(recipe, dataset)(normalised)

    assert logits.shape == (5, len(dataset.classes))


def test_cnn_for_vectors_is_told_to_be_an_mlp(recipe: Recipe) -> None:
    recipe = msgspec.structs.replace(recipe, dataset=SklearnDataset(name="iris"))

    with pytest.raises(InvalidRecipe, match="use mlp"):
        network_for(recipe, load_dataset(recipe))
