"""A small convolutional network for pictures.

Shape suffixes: B batch, C channels, H height, W width, K outputs.
"""

from itertools import pairwise

import torch
from torch import nn

from lampyris_build.recipe.models import CnnModel


class Cnn(nn.Module):
    """Convolutions that each halve the picture, then one hidden layer: (B, C, H, W) to (B, K).

    They halve it by their stride, or by max pooling, which costs more: onnxruntime takes longer for pooling
    in int8 than for the convolution before it. Exported, batch normalisation folds into the convolutions.

    Source: LeCun et al. 1998 (gradient-based learning applied to document recognition); Springenberg et al.
    2015 (striving for simplicity: strides in place of pooling).
    """

    def __init__(self, model: CnnModel, shape: tuple[int, ...], outputs: int) -> None:
        super().__init__()
        channels, height, width = shape
        pools = model.pooling == "max"
        layers: list[nn.Module] = []
        for before, after in pairwise((channels, *model.channels)):
            stride = 1 if pools else 2
            layers += [
                nn.Conv2d(before, after, kernel_size=3, stride=stride, padding=1, bias=False),
                nn.BatchNorm2d(after),
                nn.ReLU(),
            ]
            if pools:
                layers.append(nn.MaxPool2d(2, ceil_mode=True))  # as a stride does: one pixel stays one
            height, width = (height + 1) // 2, (width + 1) // 2
        self.layers = nn.Sequential(
            *layers,
            nn.Flatten(),
            nn.Linear(model.channels[-1] * height * width, model.hidden),
            nn.ReLU(),
            nn.Dropout(model.dropout),
            nn.Linear(model.hidden, outputs),
        )

    def forward(self, pictures_BCHW: torch.Tensor) -> torch.Tensor:
        outputs_BK: torch.Tensor = self.layers(pictures_BCHW)
        return outputs_BK
