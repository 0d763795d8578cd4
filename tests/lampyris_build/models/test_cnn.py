from collections.abc import Callable

import pytest
import torch

from lampyris_build.errors import InvalidRecipe
from lampyris_build.models.cnn import Cnn
from lampyris_build.recipe.models import CnnModel

MODELS = [
    CnnModel(channels=(4, 8), hidden=16),
    CnnModel(channels=(4, 8), hidden=16, pooling="max"),
    CnnModel(channels=(4, 8, 16), halves=(True, False, True), hidden=0, dropout=0.1),
]
IDS = ["stride", "max", "mean"]


@pytest.mark.parametrize("model", MODELS, ids=IDS)
def test_learns_which_pictures_have_rows_and_which_columns(
    model: CnnModel, learn: Callable[..., float]
) -> None:
    rows = torch.randn(32, 1, 8, 1).expand(-1, -1, 8, 8)
    pictures = torch.cat((rows, rows.transpose(2, 3))) + 0.1 * torch.randn(64, 1, 8, 8)

    accuracy = learn(Cnn(model, (1, 8, 8), 2), pictures, torch.arange(64) // 32, steps=30)

    assert accuracy > 0.95


@pytest.mark.parametrize("model", MODELS, ids=IDS)
def test_onnxruntime_agrees_on_pictures_of_odd_sides(
    model: CnnModel, onnx_difference: Callable[..., float]
) -> None:
    assert onnx_difference(Cnn(model, (3, 9, 7), 2), torch.randn(7, 3, 9, 7)) < 1e-5


@pytest.mark.parametrize("pooling", ["stride", "max"])
def test_convolutions_beyond_one_pixel_leave_one(pooling: str) -> None:
    model = CnnModel(channels=(4, 4, 4, 4, 4), pooling=pooling)  # type: ignore[arg-type]  # one of two words

    assert Cnn(model, (1, 8, 8), 3)(torch.zeros(5, 1, 8, 8)).shape == (5, 3)


def test_convolutions_halve_the_picture_where_the_recipe_says() -> None:
    shapes = []
    network = Cnn(CnnModel(channels=(4, 5, 6), halves=(True, False, True), hidden=0), (1, 8, 8), 2)
    for layer in network.layers:
        if isinstance(layer, torch.nn.Conv2d):
            layer.register_forward_hook(lambda _, __, y: shapes.append(tuple(y.shape[1:])))

    network(torch.zeros(2, 1, 8, 8))

    assert shapes == [(4, 4, 4), (5, 4, 4), (6, 2, 2)]


def test_halves_of_another_number_of_convolutions_are_refused() -> None:
    with pytest.raises(InvalidRecipe, match=r"model\.halves says of 1 convolutions .* model\.channels has 2"):
        Cnn(CnnModel(channels=(4, 8), halves=(True,)), (1, 8, 8), 2)
