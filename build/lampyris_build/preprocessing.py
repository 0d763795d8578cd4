"""From what callers send to what a network sees, and back: both are part of the exported graph.

Shape suffixes: B batch, H height, W width, C channels, F features, K classes.
"""

from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from lampyris_build.data.dataset import Dataset

_CHUNK: Final = 1024  # samples


class PixelNormalization(nn.Module):
    """Raw pixels (B, H, W, C), 0 to 255, to (B, C, H, W) with mean 0 and deviation 1 in each channel."""

    def __init__(self, mean_C: NDArray[np.float64], std_C: NDArray[np.float64]) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor(mean_C, dtype=torch.float32).reshape(-1, 1, 1))
        self.register_buffer("std", torch.tensor(std_C, dtype=torch.float32).reshape(-1, 1, 1))
        self.mean: torch.Tensor
        self.std: torch.Tensor

    def forward(self, images_BHWC: torch.Tensor) -> torch.Tensor:
        return (images_BHWC.permute(0, 3, 1, 2).to(torch.float32) - self.mean) / self.std


class FeatureNormalization(nn.Module):
    """Vectors (B, F) to (B, F) with mean 0 and deviation 1 in each feature."""

    def __init__(self, mean_F: NDArray[np.float64], std_F: NDArray[np.float64]) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor(mean_F, dtype=torch.float32))
        self.register_buffer("std", torch.tensor(std_F, dtype=torch.float32))
        self.mean: torch.Tensor
        self.std: torch.Tensor

    def forward(self, vectors_BF: torch.Tensor) -> torch.Tensor:
        return (vectors_BF - self.mean) / self.std


class Classifier(nn.Module):
    """A network with its preprocessing: raw inputs to logits, for training."""

    def __init__(self, dataset: Dataset, network: nn.Module) -> None:
        super().__init__()
        mean, std = _moments(dataset.train.inputs)
        self.normalization = (PixelNormalization if dataset.holds_images else FeatureNormalization)(mean, std)
        self.network = network

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        logits_BK: torch.Tensor = self.network(self.normalization(inputs))
        return logits_BK


class Served(nn.Module):
    """A classifier as it is exported: raw inputs to probabilities."""

    def __init__(self, classifier: Classifier) -> None:
        super().__init__()
        self.classifier = classifier

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        return torch.softmax(self.classifier(inputs), dim=-1)


def _moments(inputs: NDArray[Any]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return mean and standard deviation along the last axis; a constant's deviation counts as 1.

    Goes through the samples in chunks, so that pixels need not all stand in memory as float64.
    """
    axes = tuple(range(inputs.ndim - 1))
    count = inputs[..., 0].size
    chunks = [inputs[start : start + _CHUNK] for start in range(0, len(inputs), _CHUNK)]
    mean = np.sum([chunk.sum(axis=axes, dtype=np.float64) for chunk in chunks], axis=0) / count
    variance = np.sum([((chunk - mean) ** 2).sum(axis=axes) for chunk in chunks], axis=0) / count
    return mean, np.where(variance > 0, np.sqrt(variance), 1.0)
