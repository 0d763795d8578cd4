from collections.abc import Callable

import pytest
import torch

from lampyris_build.errors import InvalidRecipe
from lampyris_build.models.resnet import Residual, Resnet, Stage, Whitening
from lampyris_build.recipe.models import ResnetModel

MODEL = ResnetModel(channels=(4, 8))


@pytest.fixture
def pictures() -> torch.Tensor:
    """Pictures whose neighbouring pixels and whose channels are alike."""
    noise = torch.randn(64, 3, 12, 12)
    return torch.nn.functional.avg_pool2d(noise + noise[:, :1], 3, stride=1) * 3


def test_learns_which_pictures_have_rows_and_which_columns(learn: Callable[..., float]) -> None:
    rows = torch.randn(32, 1, 8, 1).expand(-1, -1, 8, 8)
    pictures = torch.cat((rows, rows.transpose(2, 3))) + 0.1 * torch.randn(64, 1, 8, 8)
    network = Resnet(MODEL, (1, 8, 8), 2)
    network.start_from(pictures)

    accuracy = learn(network, pictures, torch.arange(64) // 32, steps=30)

    assert accuracy > 0.95


@pytest.mark.parametrize("shape", [(3, 9, 7), (1, 2, 2), (3, 2, 11)])
def test_onnxruntime_agrees_on_pictures_of_odd_sides(
    shape: tuple[int, ...], onnx_difference: Callable[..., float]
) -> None:
    assert onnx_difference(Resnet(MODEL, shape, 2), torch.randn(7, *shape)) < 1e-5


def test_a_picture_without_a_patch_is_refused() -> None:
    with pytest.raises(InvalidRecipe, match="2 x 2 pixels at least, and the dataset's have 1 x 9"):
        Resnet(MODEL, (3, 1, 9), 2)


def test_whitened_patches_are_not_correlated_and_vary_alike(pictures: torch.Tensor) -> None:
    whitening = Whitening(3)
    whitening.fit(pictures)

    values_FN = whitening.convolution(pictures).transpose(0, 1).flatten(1)
    covariance_FF = (values_FN[:12] @ values_FN[:12].T) / values_FN.shape[1]

    torch.testing.assert_close(covariance_FF, torch.eye(12), atol=0.05, rtol=0)
    torch.testing.assert_close(values_FN[12:], -values_FN[:12])


def test_no_filter_is_lost_where_its_weights_cancel_out() -> None:
    checks = torch.tensor([[1.0, -1.0], [-1.0, 1.0]]).repeat(2, 2)
    whitening = Whitening(1)
    whitening.fit(torch.stack([checks, torch.ones(4, 4), -torch.ones(4, 4)])[:, None])

    assert (whitening.convolution.weight.abs().sum(dim=(1, 2, 3)) > 0).all()


def test_pictures_that_do_not_vary_are_whitened_to_numbers() -> None:
    whitening = Whitening(1)
    whitening.fit(torch.zeros(4, 1, 3, 3))

    assert torch.isfinite(whitening(torch.zeros(4, 1, 3, 3))).all()


def test_training_leaves_the_filters_of_patches_as_they_were_found(
    learn: Callable[..., float], pictures: torch.Tensor
) -> None:
    network = Resnet(MODEL, (3, 10, 10), 2)
    network.start_from(pictures)
    found = network.whitening.convolution.weight.clone()

    learn(network, pictures, torch.arange(64) % 2, steps=2)

    assert torch.equal(network.whitening.convolution.weight, found)


def test_what_a_block_is_given_goes_past_it() -> None:
    block = Residual(4).eval()
    x = torch.randn(2, 4, 8, 8)
    torch.nn.init.zeros_(block.convolution.weight)

    assert torch.equal(block(x), x)


def test_a_stage_answers_as_it_was_trained() -> None:
    """Served, it normalises before it pools."""
    stage = Stage(3, 4, may_halve=True)
    x = torch.randn(64, 3, 9, 9)
    for norm in (stage.norm, stage.residual.norm):
        norm.momentum = None  # what it remembers is the mean of all batches: of the one here
        torch.nn.init.normal_(norm.bias)

    trained = stage(x)

    torch.testing.assert_close(stage.eval()(x), trained, atol=0.02, rtol=0.02)


def test_every_stage_halves_the_picture_until_a_pixel_is_left() -> None:
    network = Resnet(ResnetModel(channels=(4, 8, 16, 32)), (3, 8, 32), 2)
    shapes = []
    for layer in network.layers:
        layer.register_forward_hook(lambda _, __, given: shapes.append(tuple(given.shape[1:])))

    network(torch.zeros(2, 3, 8, 32))

    assert shapes[:4] == [(4, 3, 15), (8, 1, 7), (16, 1, 4), (32, 1, 2)]
