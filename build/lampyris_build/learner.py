"""A network with all that it is trained and served with, as one module."""

import math
from typing import Final, Protocol, runtime_checkable

import torch
from torch import nn

from lampyris_build.data.dataset import Samples
from lampyris_build.errors import InvalidRecipe, in_a_line
from lampyris_build.models.mirrored import Mirrored
from lampyris_build.preprocessing.encoding import Encoding
from lampyris_build.preprocessing.module import Preprocessing
from lampyris_build.tasks.task import Task, as_tensors

_EXAMPLES: Final = 256


@runtime_checkable
class StartsFromData(Protocol):
    """A network some of whose weights come from what it is to learn, and are no random ones."""

    def start_from(self, examples: torch.Tensor) -> None:
        """Take from preprocessed samples, (B, *shape), what they tell of all."""
        ...


class Learner(nn.Module):
    """What stands before the network, the network, and its task.

    Called with encoded inputs and targets it gives the loss, which is what training needs and what is spread
    over processes; `answers` is what is exported, where the network `mirrors` pictures if it is to.
    """

    def __init__(
        self,
        *,
        preprocessing: Preprocessing,
        augmentation: nn.Module,
        network: nn.Module,
        task: Task,
        mirrors: bool = False,
    ) -> None:
        super().__init__()
        self.preprocessing = preprocessing
        self.augmentation = augmentation
        self.network = network
        self.task = task
        self.mirrors = mirrors

    def start_from(self, train: Samples, encoding: Encoding) -> None:
        """Let the network see some of the training set before it is trained, if it starts from data.

        Raises: InvalidRecipe if a module of the user's own cannot take them.
        """
        if not isinstance(self.network, StartsFromData):
            return
        some = train.take(slice(None, None, math.ceil(len(train) / _EXAMPLES)))
        with torch.no_grad():
            examples = self.preprocessing(*as_tensors(encoding.apply(some.inputs)))
            try:
                self.network.start_from(examples)
            except Exception as error:
                raise InvalidRecipe(
                    reason=f"start_from of {type(self.network).__name__} cannot take preprocessed samples, "
                    f"{tuple(examples.shape)}: {in_a_line(error)}"
                ) from error

    def forward(self, inputs: tuple[torch.Tensor, ...], targets: torch.Tensor | None) -> torch.Tensor:
        x = self.preprocessing(*inputs)
        if self.training:
            x = self.augmentation(x)
        return self.task.loss(self.network, x, targets)

    def answers(self, *inputs: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Return what is served for encoded inputs."""
        network = Mirrored(self.network) if self.mirrors else self.network
        return self.task.serve(self.preprocessing, network, inputs)
