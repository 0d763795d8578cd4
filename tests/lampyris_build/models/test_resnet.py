from collections.abc import Callable

import torch

from lampyris_build.models.resnet import Residual, Resnet
from lampyris_build.recipe.models import ResnetModel

MODEL = ResnetModel(channels=(4, 8, 8))


def test_learns_which_pictures_have_rows_and_which_columns(learn: Callable[..., float]) -> None:
    rows = torch.randn(32, 1, 8, 1).expand(-1, -1, 8, 8)
    pictures = torch.cat((rows, rows.transpose(2, 3))) + 0.1 * torch.randn(64, 1, 8, 8)

    accuracy = learn(Resnet(MODEL, (1, 8, 8), 2), pictures, torch.arange(64) // 32, steps=30)

    assert accuracy > 0.95


def test_onnxruntime_agrees_on_pictures_of_odd_sides(onnx_difference: Callable[..., float]) -> None:
    assert onnx_difference(Resnet(MODEL, (3, 9, 7), 2), torch.randn(7, 3, 9, 7)) < 1e-5


def test_what_a_block_is_given_goes_past_it() -> None:
    block = Residual(4).eval()
    x = torch.randn(2, 4, 8, 8)
    for weights in block.added.parameters():
        torch.nn.init.zeros_(weights)

    assert torch.equal(block(x), x)


def test_every_stage_halves_the_picture_and_the_first_and_the_last_have_a_block() -> None:
    network = Resnet(ResnetModel(channels=(4, 8, 16, 32)), (3, 32, 32), 2)
    shapes = []
    for layer in network.layers:
        if isinstance(layer, Residual | torch.nn.AdaptiveMaxPool2d):
            layer.register_forward_hook(lambda _, given, __: shapes.append(tuple(given[0].shape[1:])))

    network(torch.zeros(2, 3, 32, 32))

    assert shapes == [(8, 16, 16), (32, 4, 4), (32, 4, 4)]  # the last: before it is pooled
