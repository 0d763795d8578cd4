"""Fully connected layers: for vectors, and for anything else as one.

Shape suffixes: B batch, F values of a sample, K outputs.
"""

from itertools import pairwise
from math import prod

import torch
from torch import nn

from lampyris_build.recipe.models import MlpModel


class Mlp(nn.Module):
    """Hidden layers with ReLU and dropout: (B, F), or (B, ...) flattened, to (B, K).

    Source: Goodfellow et al. 2016, chapter 6 (deep feedforward networks).
    """

    def __init__(self, model: MlpModel, shape: tuple[int, ...], outputs: int) -> None:
        super().__init__()
        widths = (prod(shape), *model.hidden)
        layers: list[nn.Module] = [nn.Flatten()]
        for before, after in pairwise(widths):
            layers += [nn.Linear(before, after), nn.ReLU(), nn.Dropout(model.dropout)]
        self.layers = nn.Sequential(*layers, nn.Linear(widths[-1], outputs))

    def forward(self, x_BF: torch.Tensor) -> torch.Tensor:
        outputs_BK: torch.Tensor = self.layers(x_BF)
        return outputs_BK
