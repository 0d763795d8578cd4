"""Learns what is usual, by squeezing it through few values.

Shape suffixes: B batch, F values of a sample.
"""

from itertools import pairwise
from math import prod

import torch
from torch import nn

from lampyris_build.recipe.models import AutoencoderModel


class Autoencoder(nn.Module):
    """Fully connected layers down to a code and back: (B, F), or (B, ...) flattened, to (B, F).

    What is unlike the training set does not pass the code unharmed: the difference tells it.

    Source: Hinton and Salakhutdinov 2006 (reducing the dimensionality of data with neural networks).
    """

    def __init__(self, model: AutoencoderModel, shape: tuple[int, ...]) -> None:
        super().__init__()
        down = (prod(shape), *model.hidden, model.code)
        self.encoder = nn.Sequential(nn.Flatten(), *_layers(down))
        self.decoder = nn.Sequential(*_layers(down[::-1]))

    def forward(self, x_BF: torch.Tensor) -> torch.Tensor:
        y_BF: torch.Tensor = self.decoder(self.encoder(x_BF))
        return y_BF


def _layers(widths: tuple[int, ...]) -> list[nn.Module]:
    """Return linear layers with ReLU between them, and none after the last."""
    layers: list[nn.Module] = []
    for before, after in pairwise(widths):
        layers += [nn.Linear(before, after), nn.ReLU()]
    return layers[:-1]
