"""Mean 0 and deviation 1, for pixels and for numbers.

Shape suffixes: B batch, H height, W width, C channels, F features, "..." any axes between.
"""

import torch
from torch import nn


class PixelNormalization(nn.Module):
    """Raw pixels (B, H, W, C), 0 to 255, to (B, C, H, W) with mean 0 and deviation 1 in each channel."""

    def __init__(self, mean_C: torch.Tensor, std_C: torch.Tensor) -> None:
        super().__init__()
        self.register_buffer("mean", mean_C.reshape(-1, 1, 1))
        self.register_buffer("std", std_C.reshape(-1, 1, 1))
        self.mean: torch.Tensor
        self.std: torch.Tensor

    def forward(self, images_BHWC: torch.Tensor) -> torch.Tensor:
        return (images_BHWC.permute(0, 3, 1, 2).to(torch.float32) - self.mean) / self.std


class Standardization(nn.Module):
    """Numbers (B, ..., F) to mean 0 and deviation 1 in each feature; the median stands for NaN."""

    def __init__(self, median_F: torch.Tensor, mean_F: torch.Tensor, std_F: torch.Tensor) -> None:
        super().__init__()
        self.register_buffer("median", median_F)
        self.register_buffer("mean", mean_F)
        self.register_buffer("std", std_F)
        self.median: torch.Tensor
        self.mean: torch.Tensor
        self.std: torch.Tensor

    def forward(self, values_BF: torch.Tensor) -> torch.Tensor:
        filled_BF = torch.where(torch.isnan(values_BF), self.median, values_BF)
        return (filled_BF - self.mean) / self.std
