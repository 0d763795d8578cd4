"""A small convolutional network for pictures.

Shape suffixes: B batch, C channels, H height, W width, K outputs.
"""

from itertools import pairwise
from math import prod

import torch
from torch import nn

from lampyris_build.errors import InvalidRecipe
from lampyris_build.recipe.models import CnnModel


class Cnn(nn.Module):
    """Convolutions, some of which halve the picture, then one hidden layer: (B, C, H, W) to (B, K).

    They halve it by their stride, or by max pooling, which costs more: onnxruntime takes longer for pooling
    in int8 than for the convolution before it. Exported, batch normalisation folds into the convolutions.

    Source: LeCun et al. 1998 (gradient-based learning applied to document recognition); Springenberg et al.
    2015 (striving for simplicity: strides in place of pooling); Lin et al. 2014 (network in network: the mean
    over all places in place of a hidden layer).
    """

    def __init__(self, model: CnnModel, shape: tuple[int, ...], outputs: int) -> None:
        super().__init__()
        channels, *sides = shape
        halves = model.halves or (True,) * len(model.channels)
        if len(halves) != len(model.channels):
            raise InvalidRecipe(
                reason=f"model.halves says of {len(halves)} convolutions whether they halve the picture, "
                f"but model.channels has {len(model.channels)}."
            )
        layers: list[nn.Module] = []
        for (before, after), halving in zip(pairwise((channels, *model.channels)), halves, strict=True):
            pools = halving and model.pooling == "max"
            stride = 2 if halving and not pools else 1
            layers += [
                nn.Conv2d(before, after, kernel_size=3, stride=stride, padding=1, bias=False),
                nn.BatchNorm2d(after),
                nn.ReLU(),
            ]
            if pools:
                layers.append(nn.MaxPool2d(2, ceil_mode=True))  # as a stride does: one pixel stays one
            if halving:
                sides = [(side + 1) // 2 for side in sides]
        last = model.channels[-1]
        if model.hidden:
            layers += [nn.Flatten(), nn.Linear(last * prod(sides), model.hidden), nn.ReLU()]
        else:
            layers += [nn.AdaptiveAvgPool2d(1), nn.Flatten()]
        self.layers = nn.Sequential(
            *layers, nn.Dropout(model.dropout), nn.Linear(model.hidden or last, outputs)
        )

    def forward(self, pictures_BCHW: torch.Tensor) -> torch.Tensor:
        outputs_BK: torch.Tensor = self.layers(pictures_BCHW)
        return outputs_BK
