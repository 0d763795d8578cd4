"""Pictures that a network is asked about twice.

Shape suffixes: B batch, C channels, H height, W width, K outputs.
"""

import torch
from torch import nn


class Mirrored(nn.Module):
    """The mean of what a network says of a picture and of its mirror image: (B, C, H, W) to (B, K).

    Source: Krizhevsky et al. 2012 (ImageNet classification with deep convolutional networks), section 4.1,
    without its crops.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, pictures_BCHW: torch.Tensor) -> torch.Tensor:
        said = self.network(torch.cat([pictures_BCHW, pictures_BCHW.flip(3)]))
        mean_BK: torch.Tensor = said.unflatten(0, (2, -1)).mean(dim=0)
        return mean_BK
