"""The columns of a table, each an input of its own, as one matrix.

Shape suffixes: B batch, N number columns, K category columns, H categories of all of them, F = N + H.
"""

from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from lampyris_build.data.dataset import Feature, Inputs
from lampyris_build.preprocessing.scaling import Standardization
from lampyris_build.preprocessing.statistics import medians, moments


class Table(nn.Module):
    """Columns (B,), in the order of the features, to (B, F): the numbers first, then the categories one-hot.

    Only what the training set holds has a place among the categories: an id that is new, be it that of
    unknown or missing words, is 0 in all of them, because nothing taught a model what to make of it.
    """

    def __init__(
        self,
        is_category: tuple[bool, ...],
        numbers: Standardization | None,
        column_H: torch.Tensor,
        id_H: torch.Tensor,
    ) -> None:
        super().__init__()
        self.is_category = is_category
        self.numbers = numbers
        self.register_buffer("column", column_H)
        self.register_buffer("id", id_H)
        self.column: torch.Tensor
        self.id: torch.Tensor

    @classmethod
    def fit(cls, features: tuple[Feature, ...], inputs: Inputs) -> Self:
        numbers = [inputs[feature.name] for feature in features if feature.kind == "number"]
        ids = [np.unique(inputs[feature.name]) for feature in features if feature.kind == "category"]
        columns = np.repeat(np.arange(len(ids)), [len(one) for one in ids])
        return cls(
            tuple(feature.kind == "category" for feature in features),
            _standardization(numbers) if numbers else None,
            torch.from_numpy(columns),
            torch.from_numpy(np.concatenate([np.empty(0, np.int64), *ids])),
        )

    @property
    def width(self) -> int:
        return self.is_category.count(False) + len(self.id)

    def forward(self, *columns: torch.Tensor) -> torch.Tensor:
        numbers = [one for one, is_category in zip(columns, self.is_category, strict=True) if not is_category]
        categories = [one for one, is_category in zip(columns, self.is_category, strict=True) if is_category]
        parts = []
        # Stacked, not reshaped: compression takes ranges of whatever is reshaped, and here some may be NaN.
        if self.numbers is not None:
            parts.append(self.numbers(torch.stack(numbers, dim=1)))
        if categories:
            parts.append((torch.stack(categories, dim=1)[:, self.column] == self.id).to(torch.float32))
        return torch.cat(parts, dim=1)


def _standardization(numbers: list[NDArray[np.float32]]) -> Standardization:
    # Column by column: each may be a file, and all together larger than memory.
    found = []
    for values in numbers:
        median = medians(values[:, np.newaxis])
        found.append((median, *moments(values[:, np.newaxis], median)))
    return Standardization(*(torch.from_numpy(np.concatenate(one)) for one in zip(*found, strict=True)))
