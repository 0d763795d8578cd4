"""From encoded inputs to what a network sees, as the first part of the exported graph.

Shape suffixes: B batch, H height, W width, C channels, F features, T moments, L words.
"""

from typing import Self

import torch
from torch import nn

from lampyris_build.data.dataset import Feature, Samples
from lampyris_build.errors import DatasetBroken
from lampyris_build.preprocessing.scaling import PixelNormalization, Standardization
from lampyris_build.preprocessing.statistics import medians, moments, pixel_moments
from lampyris_build.preprocessing.table import Table


class Preprocessing(nn.Module):
    """Takes encoded inputs in the order of the features, and gives one tensor.

    Pictures (B, H, W, C) become (B, C, H, W), vectors stay (B, F) and windows of a series (B, T, F), a
    table's columns become (B, F), all with mean 0 and deviation 1. Words and tokens (B, L) stay as they are.

    `shape` is that of one sample as it comes out. `vocabulary_size` is how many words or tokens there are, 0
    where there are none.
    """

    def __init__(self, step: nn.Module, shape: tuple[int, ...], vocabulary_size: int = 0) -> None:
        super().__init__()
        self.step = step
        self.shape = shape
        self.vocabulary_size = vocabulary_size

    @classmethod
    def fit(cls, features: tuple[Feature, ...], train: Samples) -> Self:
        """Find what is usual in the encoded training set.

        Raises: DatasetBroken if a picture, a text or the like is not the only input.
        """
        if all(feature.kind in {"number", "category"} for feature in features):
            table = Table.fit(features, train.inputs)
            return cls(table, (table.width,))
        if len(features) > 1:
            raise _mixed(features)
        (feature,) = features
        values = train.inputs[feature.name]
        match feature.kind:
            case "image":
                height, width, channels = feature.shape
                mean, std = pixel_moments(values)
                return cls(
                    PixelNormalization(torch.from_numpy(mean), torch.from_numpy(std)),
                    (channels, height, width),
                )
            case "text" | "tokens":
                return cls(nn.Identity(), values.shape[1:], int(values.max()) + 1)
            case _:
                median = medians(values)
                mean, std = moments(values, median)
                return cls(Standardization(*map(torch.from_numpy, (median, mean, std))), feature.shape)

    def forward(self, *encoded: torch.Tensor) -> torch.Tensor:
        x: torch.Tensor = self.step(*encoded)
        return x


def _mixed(features: tuple[Feature, ...]) -> DatasetBroken:
    alone = next(feature for feature in features if feature.kind not in {"number", "category"})
    return DatasetBroken(
        path=f"with the inputs {', '.join(feature.name for feature in features)}",
        reason=f"{alone.name!r} is {alone.kind}, which a model takes alone; name it alone in "
        "dataset.columns, or leave it out of them.",
    )
