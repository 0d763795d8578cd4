"""A small convolutional network for pictures.

Shape suffixes: B batch, C channels, H height, W width, K classes.
"""

from itertools import pairwise

import torch
from torch import nn

from lampyris_build.recipe import CnnModel


class Cnn(nn.Module):
    """Convolutions that each halve the picture, then one hidden layer: (B, C, H, W) -> logits (B, K).

    They halve it by their stride: pooling in int8 costs onnxruntime more than the convolution before it.
    Exported, batch normalisation folds into the convolutions: Conv, Relu and Gemm are left.

    Source: Springenberg et al. 2015 (striving for simplicity: the all convolutional net).
    """

    def __init__(self, model: CnnModel, sample_shape: tuple[int, ...], classes: int) -> None:
        super().__init__()
        height, width, channels = sample_shape
        layers: list[nn.Module] = []
        for before, after in pairwise((channels, *model.channels)):
            layers += [
                nn.Conv2d(before, after, kernel_size=3, stride=2, padding=1, bias=False),
                nn.BatchNorm2d(after),
                nn.ReLU(),
            ]
            height, width = (height + 1) // 2, (width + 1) // 2
        self.layers = nn.Sequential(
            *layers,
            nn.Flatten(),
            nn.Linear(model.channels[-1] * height * width, model.hidden),
            nn.ReLU(),
            nn.Dropout(model.dropout),
            nn.Linear(model.hidden, classes),
        )

    def forward(self, images_BCHW: torch.Tensor) -> torch.Tensor:
        logits_BK: torch.Tensor = self.layers(images_BCHW)
        return logits_BK
