"""Strings to the numbers that stand for them, which torch cannot do: it is put before the exported graph."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from numpy.typing import NDArray

from lampyris_build.data.dataset import Feature, Inputs, Samples


@dataclass(frozen=True, kw_only=True)
class Encoding:
    """Pictures and numbers need none."""

    features: tuple[Feature, ...]

    @classmethod
    def fit(cls, features: tuple[Feature, ...], train: Samples, *, length: int, vocabulary: int) -> Self:  # noqa: ARG003 - for strings
        return cls(features=features)

    def apply(self, inputs: Inputs) -> dict[str, NDArray[Any]]:
        return {feature.name: inputs[feature.name] for feature in self.features}

    def prepend(self, path: Path) -> None:
        """Put the same before the exported graph."""
