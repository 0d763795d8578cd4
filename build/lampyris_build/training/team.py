"""The processes that train one network together, as the loop sees them: they share every batch.

A batch is divided among them and their gradients are averaged, so that a step is the step that one process
would take with the whole batch: the same batches in the same order, at the same learning rate.
"""

from collections.abc import Callable
from copy import deepcopy
from typing import Any

import torch
from torch import distributed, nn, optim
from torch.nn.parallel import DistributedDataParallel

from lampyris_build.recipe.training import Training
from lampyris_build.training.batch_norm import share_batch_norm
from lampyris_build.training.batches import Batches
from lampyris_build.training.checkpoint import State

Tensors = dict[str, torch.Tensor]


class Elsewhere(Exception):
    """The others are further; `state` is where to go on with them."""

    def __init__(self, state: State) -> None:
        super().__init__()
        self.state = state


class Team:
    """One process alone."""

    rank = 0
    size = 1

    def spread(self, learner: nn.Module) -> nn.Module:
        """Return what this process trains: the learner, or a copy of it, or of a part of it."""
        return learner

    def share(self, count: int) -> tuple[slice, float]:
        """Say which of `count` samples are this process's, and how much they weigh."""
        return part_of(count, self.rank, self.size)

    def adapted(self, settings: Training) -> Training:
        """Return the settings by which this process takes its steps."""
        return settings

    def begin(self, saved: State | None, batches: Batches) -> State | None:  # noqa: ARG002 - averaging's
        """Return the state to begin with, if not with a new one; `saved` is what this process kept."""
        return saved

    def agree(self, step: int, state: Callable[[], State]) -> State | None:  # noqa: ARG002 - averaging's
        """Return the state that all go on from after a step, if it is another than one's own.

        Raises: Elsewhere.
        """
        return None

    def scaled(self, loss: torch.Tensor, share: float) -> torch.Tensor:  # noqa: ARG002 - it is all of it
        """Weigh a loss so that the average of all gradients is the gradient of the whole batch."""
        return loss

    def total(self, value: float) -> float:
        return value

    def sum_of_parts(self, measure: Callable[[int, int], float]) -> float:
        """Add up what is measured in parts; `measure` is told which part, and of how many.

        Raises: Elsewhere.
        """
        return self.total(measure(self.rank, self.size))

    def any(self, value: bool) -> bool:  # noqa: FBT001 - it is what is asked
        """Say whether it is so in any process, where all must do it together."""
        return value

    def weights(self, module: nn.Module) -> Tensors:
        """Return the whole state of what `spread` gave; process 0 gets it in any case."""
        return module.state_dict()

    def optimizer_state(self, module: nn.Module, optimizer: optim.Optimizer) -> dict[str, Any]:  # noqa: ARG002
        return optimizer.state_dict()

    def restore_optimizer(
        self,
        module: nn.Module,  # noqa: ARG002 - names of weights are told by their order
        optimizer: optim.Optimizer,
        state: dict[str, Any],
    ) -> None:
        optimizer.load_state_dict(state)
        for parameter, kept in optimizer.state.items():
            for name, value in kept.items():
                if isinstance(value, torch.Tensor) and value.shape == parameter.shape:
                    # Fused kernels go through memory, and take both for laid out alike.
                    kept[name] = torch.empty_like(parameter, dtype=value.dtype).copy_(value)


class Replicas(Team):
    """A copy of the learner in every process, the gradients averaged.

    Source: Li et al. 2020 (PyTorch Distributed).
    """

    def __init__(self) -> None:
        self.rank = distributed.get_rank()
        self.size = distributed.get_world_size()

    def spread(self, learner: nn.Module) -> nn.Module:
        return DistributedDataParallel(_laid_out(share_batch_norm(deepcopy(learner))))

    def scaled(self, loss: torch.Tensor, share: float) -> torch.Tensor:
        return loss * (share * self.size)

    def total(self, value: float) -> float:
        sum_ = torch.tensor(value, dtype=torch.float64)
        distributed.all_reduce(sum_)
        return sum_.item()

    def weights(self, module: nn.Module) -> Tensors:
        assert isinstance(module, DistributedDataParallel)
        weights: Tensors = module.module.state_dict()
        return weights


def _laid_out(module: nn.Module) -> nn.Module:
    """Lay the weights of convolutions out as their gradients come, channels last: buckets copy others slowly.

    Alone they stay as they are: the pictures are laid out so, and no step was faster for it.
    """
    for one in module.modules():
        if isinstance(one, nn.Conv2d | nn.ConvTranspose2d):
            one.weight.data = one.weight.data.to(memory_format=torch.channels_last)
    return module


def part_of(count: int, rank: int, size: int) -> tuple[slice, float]:
    """Say which of `count` samples are a process's, and how much of all they are.

    Never none, since all must call the network together: one that does not count stands in.
    """
    first, end = count * rank // size, count * (rank + 1) // size
    return (slice(first, end), (end - first) / count) if end > first else (slice(1), 0.0)


def team_for(settings: Training) -> Team:
    if not distributed.is_initialized():
        return Team()
    if settings.parallel == "ddp":
        return Replicas()
    # It takes as long to import as half of torch.
    from lampyris_build.training.shards import Shards  # noqa: PLC0415

    return Shards()
