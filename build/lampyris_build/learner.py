"""A network with all that it is trained and served with, as one module."""

import torch
from torch import nn

from lampyris_build.preprocessing.module import Preprocessing
from lampyris_build.tasks.task import Task


class Learner(nn.Module):
    """What stands before the network, the network, and its task.

    Called with encoded inputs and targets it gives the loss, which is what training needs and what is spread
    over processes; `answers` is what is exported.
    """

    def __init__(
        self, *, preprocessing: Preprocessing, augmentation: nn.Module, network: nn.Module, task: Task
    ) -> None:
        super().__init__()
        self.preprocessing = preprocessing
        self.augmentation = augmentation
        self.network = network
        self.task = task

    def forward(self, inputs: tuple[torch.Tensor, ...], targets: torch.Tensor | None) -> torch.Tensor:
        x = self.preprocessing(*inputs)
        if self.training:
            x = self.augmentation(x)
        return self.task.loss(self.network, x, targets)

    def answers(self, *inputs: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Return what is served for encoded inputs."""
        return self.task.serve(self.preprocessing, self.network, inputs)
