"""What all tasks have in common."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Any

import msgspec
import torch
from numpy.typing import NDArray
from torch import nn

from lampyris.domain.signature import Signature, TensorSpec
from lampyris_build.data.dataset import Dataset, Inputs, Samples
from lampyris_build.preprocessing.module import Preprocessing

# What a model answers, in the order of its signature's outputs.
Answers = list[NDArray[Any]]


class Task(nn.Module, ABC):
    """A loss for training, answers for serving, and a score for both: 1 is perfect.

    It may hold buffers of its own, such as the scale of what it predicts: they are exported and kept with the
    weights.
    """

    def __init__(self, dataset: Dataset) -> None:
        super().__init__()
        self.features = dataset.features

    @abstractmethod
    def width(self, shape: tuple[int, ...]) -> int:
        """Return how many numbers a network gives for a preprocessed sample of that shape."""

    @property
    @abstractmethod
    def outputs(self) -> tuple[TensorSpec, ...]: ...

    @property
    def inputs(self) -> tuple[TensorSpec, ...]:
        return tuple(feature.spec for feature in self.features)

    @property
    def labels(self) -> tuple[str, ...] | None:
        return None

    @property
    def signature(self) -> Signature:
        return Signature(inputs=self.inputs, outputs=self.outputs, labels=self.labels)

    @property
    def filling_signature(self) -> Signature:
        """The signature of a model with `preprocessing` before it, which fills the cells that a row lacks."""
        columns = {feature.name for feature in self.features if not feature.shape}
        inputs = tuple(msgspec.structs.replace(one, nullable=one.name in columns) for one in self.inputs)
        return msgspec.structs.replace(self.signature, inputs=inputs)

    def preprocessing(self, train: Samples) -> Preprocessing:
        """Make what stands before the network, from the encoded training set."""
        return Preprocessing.fit(self.features, train)

    @abstractmethod
    def loss(self, network: nn.Module, x: torch.Tensor, targets: torch.Tensor | None) -> torch.Tensor:
        """Return how wrong the network is about preprocessed inputs, as one number."""

    @abstractmethod
    def answers(self, network: nn.Module, x: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Return what is served for preprocessed inputs."""

    def serve(
        self, preprocessing: nn.Module, network: nn.Module, inputs: tuple[torch.Tensor, ...]
    ) -> tuple[torch.Tensor, ...]:
        """Return what is served for encoded inputs."""
        return self.answers(network, preprocessing(*inputs))

    def asked(self, samples: Samples) -> Samples:
        """Return what the served model is asked about samples: the samples themselves, if it takes those."""
        return samples

    def expecting(self, asked: Samples, answer: Callable[[], Answers]) -> Samples:  # noqa: ARG002 - as it says
        """Return what was asked with what is right.

        That is what the uncompressed model answers, for those who know no better.
        """
        return asked

    @abstractmethod
    def score(self, answers: Answers, samples: Samples) -> float:
        """Say how good the answers are; 1 is perfect."""

    @abstractmethod
    def scores(self, answers: Answers, samples: Samples) -> dict[str, float]:
        """Say the same in all the numbers that the field has names for."""


def as_tensors(inputs: Inputs | Mapping[str, NDArray[Any]]) -> tuple[torch.Tensor, ...]:
    """Turn encoded arrays into tensors, in their order."""
    return tuple(torch.from_numpy(values) for values in inputs.values())
