"""A residual network for small pictures.

Shape suffixes: B batch, C channels, H height, W width, K outputs.
"""

import torch
from torch import nn

from lampyris_build.recipe.models import ResnetModel


class Resnet(nn.Module):
    """A convolution, stages of residual blocks, the mean over all places: (B, C, H, W) to (B, K).

    All stages but the first halve the picture. Exported, batch normalisation folds into the convolutions.

    Source: He et al. 2016 (deep residual learning), section 4.2: the form for CIFAR-10.
    """

    def __init__(self, model: ResnetModel, shape: tuple[int, ...], outputs: int) -> None:
        super().__init__()
        channels, _, _ = shape
        width = model.channels[0]
        layers: list[nn.Module] = [_convolution(channels, width), nn.ReLU()]
        for stage, after in enumerate(model.channels):
            for block in range(model.blocks):
                layers.append(Block(width, after, stride=2 if stage > 0 and block == 0 else 1))
                width = after
        self.layers = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(width, outputs))

    def forward(self, pictures_BCHW: torch.Tensor) -> torch.Tensor:
        outputs_BK: torch.Tensor = self.layers(pictures_BCHW)
        return outputs_BK


class Block(nn.Module):
    """Two convolutions that learn what to add to their input, which goes past them."""

    def __init__(self, before: int, after: int, *, stride: int) -> None:
        super().__init__()
        self.residual = nn.Sequential(
            _convolution(before, after, stride=stride), nn.ReLU(), _convolution(after, after)
        )
        changes = stride > 1 or before != after
        self.shortcut = _convolution(before, after, size=1, stride=stride) if changes else nn.Identity()
        self.relu = nn.ReLU()

    def forward(self, x_BCHW: torch.Tensor) -> torch.Tensor:
        y_BCHW: torch.Tensor = self.relu(self.shortcut(x_BCHW) + self.residual(x_BCHW))
        return y_BCHW


def _convolution(before: int, after: int, *, size: int = 3, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(before, after, size, stride=stride, padding=size // 2, bias=False), nn.BatchNorm2d(after)
    )
