from collections.abc import Callable

import pytest
import torch
from torch import nn
from torch.nn.functional import softplus

from lampyris_build.errors import InvalidRecipe
from lampyris_build.models.gan import Gan
from lampyris_build.recipe.models import GanModel

SHAPE = (1, 8, 8)
MODEL = GanModel(latent=4, channels=4)


class Generator(nn.Module):
    """What is served of a GAN."""

    def __init__(self, gan: Gan) -> None:
        super().__init__()
        self.gan = gan

    def forward(self, latent_BZ: torch.Tensor) -> torch.Tensor:
        return self.gan.generate(latent_BZ)


def test_learns_where_pictures_are_bright() -> None:
    pictures = torch.full((64, *SHAPE), -0.8)
    pictures[:, :, :4] = 0.8
    gan = Gan(MODEL, SHAPE)
    optimizer = torch.optim.Adam(gan.parameters(), lr=2e-3, betas=(0.5, 0.999))
    for _ in range(150):
        optimizer.zero_grad()
        gan.loss(pictures).backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
        optimizer.step()

    with torch.inference_mode():
        painted = gan.eval().generate(torch.randn(16, MODEL.latent))

    assert painted[:, :, :4].mean() > 0.5
    assert painted[:, :, 4:].mean() < -0.5


def test_each_player_is_moved_by_its_own_aim_alone() -> None:
    gan = Gan(MODEL, SHAPE).eval()  # spectral normalisation stands still
    pictures = torch.rand(8, *SHAPE) * 2 - 1
    state = torch.get_rng_state()

    gan.loss(pictures).backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped

    torch.set_rng_state(state)
    painted = gan.generate(torch.randn(8, MODEL.latent))
    judged = gan.discriminator(painted.detach())
    tells = (softplus(-gan.discriminator(pictures)) + softplus(judged)).mean()
    deceives = softplus(-gan.discriminator(painted)).mean()
    for player, aim in ((gan.discriminator, tells), (gan.generator, deceives)):
        expected = torch.autograd.grad(aim, list(player.parameters()))
        torch.testing.assert_close([weights.grad for weights in player.parameters()], list(expected))


@pytest.mark.parametrize("shape", [(1, 28, 28), (3, 32, 32), (3, 16, 24)])
def test_paints_pictures_of_the_datasets_shape_from_black_to_white(shape: tuple[int, ...]) -> None:
    painted = Gan(MODEL, shape).generate(torch.randn(2, MODEL.latent))

    assert painted.shape == (2, *shape)
    assert painted.abs().max() <= 1


def test_onnxruntime_agrees(onnx_difference: Callable[..., float]) -> None:
    assert onnx_difference(Generator(Gan(MODEL, SHAPE)), torch.randn(7, MODEL.latent)) < 1e-5


def test_sides_that_cannot_be_halved_twice_are_refused() -> None:
    with pytest.raises(InvalidRecipe, match="multiples of 4; these are 30 x 28"):
        Gan(MODEL, (1, 30, 28))
