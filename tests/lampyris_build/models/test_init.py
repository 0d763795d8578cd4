import pytest
import torch

from lampyris_build.errors import InvalidRecipe
from lampyris_build.models import network_for
from lampyris_build.recipe.models import (
    AnyModel,
    AutoencoderModel,
    CnnModel,
    ForestModel,
    GptModel,
    MlpModel,
    RecurrentModel,
    ResnetModel,
    TransformerModel,
)

PICTURES, SERIES, VECTORS, WORDS = (3, 8, 8), (6, 2), (5,), (7,)


@pytest.mark.parametrize(
    ("model", "shape"),
    [
        (MlpModel(hidden=(8,), dropout=0.1), VECTORS),
        (MlpModel(hidden=()), PICTURES),
        (MlpModel(), SERIES),
        (CnnModel(channels=(4, 8)), PICTURES),
        (ResnetModel(channels=(4, 8, 8)), PICTURES),
        (RecurrentModel(hidden=4), SERIES),
        (TransformerModel(width=8, heads=2), WORDS),
    ],
)
def test_network_gives_as_many_numbers_as_asked_for(model: AnyModel, shape: tuple[int, ...]) -> None:
    words = shape == WORDS
    x = torch.ones(5, *shape, dtype=torch.int64 if words else torch.float32)

    network = network_for(model, shape, 3, 10 if words else 0)

    assert network(x).shape == (5, 3)


@pytest.mark.parametrize("shape", [VECTORS, SERIES, PICTURES])
def test_autoencoder_gives_back_as_many_numbers_as_it_took(shape: tuple[int, ...]) -> None:
    x = torch.zeros(5, *shape)

    network = network_for(AutoencoderModel(hidden=(4,), code=2), shape, 3, 0)

    assert network(x).shape == x.flatten(1).shape


@pytest.mark.parametrize(
    ("model", "shape", "vocabulary", "sentence"),
    [
        (CnnModel(), VECTORS, 0, "cnn takes pictures, but the dataset holds vectors; use mlp"),
        (ResnetModel(), SERIES, 0, "resnet takes pictures, but the dataset holds series; use recurrent"),
        (RecurrentModel(), PICTURES, 0, "recurrent takes series, but the dataset holds pictures; use cnn"),
        (TransformerModel(), VECTORS, 0, "transformer takes words, but the dataset holds vectors; use mlp"),
        (GptModel(), VECTORS, 0, "gpt takes words, but the dataset holds vectors; use mlp"),
        (MlpModel(), WORDS, 10, "mlp takes pictures or series or vectors, but .* words; use transformer"),
        (ForestModel(), VECTORS, 0, "random-forest is no network; here it can be autoencoder, cnn, gan"),
    ],
)
def test_data_that_an_architecture_cannot_take_are_refused_with_one_that_can(
    model: AnyModel, shape: tuple[int, ...], vocabulary: int, sentence: str
) -> None:
    with pytest.raises(InvalidRecipe, match=sentence):
        network_for(model, shape, 2, vocabulary)
