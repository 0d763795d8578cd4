"""Two networks that play against each other: one paints pictures, the other tells them from real ones.

Shape suffixes: B batch, Z random numbers, C channels, H height, W width.
"""

import torch
from torch import nn
from torch.func import functional_call
from torch.nn.functional import softplus
from torch.nn.utils.parametrizations import spectral_norm

from lampyris_build.errors import InvalidRecipe
from lampyris_build.recipe.models import GanModel

_HALVINGS = 2
_STEP = 2**_HALVINGS


class Gan(nn.Module):
    """A generator, (B, Z) to pictures (B, C, H, W) from -1 to 1, and the discriminator that it is to deceive.

    Source: Goodfellow et al. 2014 (the game, and the loss that does not saturate); Radford et al. 2016
    (DCGAN: the layers); Miyato et al. 2018 (spectral normalisation holds the discriminator back).
    """

    def __init__(self, model: GanModel, shape: tuple[int, ...]) -> None:
        super().__init__()
        _, height, width = shape
        if height % _STEP or width % _STEP:
            raise InvalidRecipe(
                reason=f"model.architecture gan paints pictures whose sides are multiples of {_STEP}; "
                f"these are {height} x {width}. Set dataset.height and dataset.width."
            )
        self.latent = model.latent
        self.generator = _generator(model, shape)
        self.discriminator = _discriminator(model, shape)

    def generate(self, latent_BZ: torch.Tensor) -> torch.Tensor:
        pictures_BCHW: torch.Tensor = self.generator(latent_BZ)
        return pictures_BCHW

    def loss(self, pictures_BCHW: torch.Tensor) -> torch.Tensor:
        """Return what both players pay, as one number whose gradient moves each towards its own aim.

        The discriminator sees the painted pictures without their history, and the generator is judged by
        weights that stand still: so one step of one optimiser moves both.
        """
        latent_BZ = torch.randn(len(pictures_BCHW), self.latent, device=pictures_BCHW.device)
        painted_BCHW = self.generate(latent_BZ)
        fixed = {name: weights.detach() for name, weights in self.discriminator.named_parameters()}
        tells = softplus(-self.discriminator(pictures_BCHW)) + softplus(
            self.discriminator(painted_BCHW.detach())
        )
        deceives = softplus(-functional_call(self.discriminator, fixed, (painted_BCHW,)))
        return (tells + deceives).mean()


def _generator(model: GanModel, shape: tuple[int, ...]) -> nn.Module:
    """Enlarge by the nearest pixel and smooth by a convolution: no checkerboards, and int8 knows both.

    Source: Odena et al. 2016 (deconvolution and checkerboard artifacts).
    """
    channels, height, width = shape
    start = (model.channels * _STEP, height // _STEP, width // _STEP)
    layers: list[nn.Module] = [
        nn.Linear(model.latent, start[0] * start[1] * start[2]),
        nn.Unflatten(1, start),
        nn.BatchNorm2d(start[0]),
        nn.ReLU(),
    ]
    for halving in reversed(range(_HALVINGS)):
        after = model.channels * 2**halving
        layers += [
            nn.Upsample(scale_factor=2),
            nn.Conv2d(2 * after, after, 3, padding=1),
            nn.BatchNorm2d(after),
            nn.ReLU(),
        ]
    return nn.Sequential(*layers, nn.Conv2d(model.channels, channels, 3, padding=1), nn.Tanh())


def _discriminator(model: GanModel, shape: tuple[int, ...]) -> nn.Module:
    before, height, width = shape
    layers: list[nn.Module] = []
    for halving in range(_HALVINGS):
        after = model.channels * 2 ** (halving + 1)
        layers += [
            spectral_norm(nn.Conv2d(before, after, 4, stride=2, padding=1)),
            nn.LeakyReLU(0.2),
        ]
        before = after
    places = (height // _STEP) * (width // _STEP)
    return nn.Sequential(*layers, nn.Flatten(), spectral_norm(nn.Linear(before * places, 1)))
