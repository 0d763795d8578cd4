"""A residual network for small pictures.

Shape suffixes: B batch, C channels, H height, W width, K outputs.
"""

from typing import Final

import torch
from torch import nn

from lampyris_build.recipe.models import ResnetModel

_OUTPUT_SCALE: Final = 0.125


class Resnet(nn.Module):
    """A convolution, then stages that each widen and halve the picture: (B, C, H, W) to (B, K).

    The first and the last stage end with a residual block; at the end the largest value of each channel is
    left. Logits are an eighth of what the last layer gives, so that they do not run ahead of the features.
    Exported, batch normalisation folds into the convolutions.

    Source: He et al. 2016 (deep residual learning), in the shape of Page 2018 (how to train your ResNet),
    which needs few passes over the data.
    """

    def __init__(self, model: ResnetModel, shape: tuple[int, ...], outputs: int) -> None:
        super().__init__()
        width, *stages = model.channels
        layers: list[nn.Module] = [_convolution(shape[0], width)]
        for place, after in enumerate(stages, start=1):
            layers += [_convolution(width, after), nn.MaxPool2d(2, ceil_mode=True)]
            if place in {1, len(stages)}:
                layers.append(Residual(after))
            width = after
        self.layers = nn.Sequential(*layers, nn.AdaptiveMaxPool2d(1), nn.Flatten(), nn.Linear(width, outputs))

    def forward(self, pictures_BCHW: torch.Tensor) -> torch.Tensor:
        outputs_BK: torch.Tensor = self.layers(pictures_BCHW) * _OUTPUT_SCALE
        return outputs_BK


class Residual(nn.Module):
    """Two convolutions that learn what to add to their input, which goes past them."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.added = nn.Sequential(_convolution(channels, channels), _convolution(channels, channels))

    def forward(self, x_BCHW: torch.Tensor) -> torch.Tensor:
        y_BCHW: torch.Tensor = x_BCHW + self.added(x_BCHW)
        return y_BCHW


def _convolution(before: int, after: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(before, after, 3, padding=1, bias=False), nn.BatchNorm2d(after), nn.ReLU())
