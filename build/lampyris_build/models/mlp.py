"""Fully connected layers, for vectors; pictures are flattened.

Shape suffixes: B batch, F features, K classes.
"""

from itertools import pairwise
from math import prod

import torch
from torch import nn

from lampyris_build.recipe import MlpModel


class Mlp(nn.Module):
    """Hidden layers with ReLU and dropout: (B, F) -> logits (B, K)."""

    def __init__(self, model: MlpModel, sample_shape: tuple[int, ...], classes: int) -> None:
        super().__init__()
        widths = (prod(sample_shape), *model.hidden)
        layers: list[nn.Module] = [nn.Flatten()]
        for before, after in pairwise(widths):
            layers += [nn.Linear(before, after), nn.ReLU(), nn.Dropout(model.dropout)]
        self.layers = nn.Sequential(*layers, nn.Linear(widths[-1], classes))

    def forward(self, inputs_BF: torch.Tensor) -> torch.Tensor:
        logits_BK: torch.Tensor = self.layers(inputs_BF)
        return logits_BK
