"""Train on after a step, so that the network makes good what the step cost."""

import copy
from collections.abc import Mapping
from dataclasses import replace
from typing import Final

import msgspec
import torch
from torch import nn
from torch.func import functional_call

from lampyris_build.compression.context import Context
from lampyris_build.recipe.training import Training
from lampyris_build.trained import TrainedNetwork
from lampyris_build.training.checkpoint import Checkpoint, starting_from, training_digest
from lampyris_build.training.loop import train

# Of the learning rate that the weights were found with: they are to be corrected, not found anew.
_SHARE_OF_RATE: Final = 0.1


def copy_of(trained: TrainedNetwork) -> TrainedNetwork:
    """Return a copy that a step may change."""
    return TrainedNetwork(copy.deepcopy(trained.learner), trained.encoding, trained.example)


def fine_tune(
    trained: TrainedNetwork, context: Context, epochs: int, views: Mapping[str, nn.Module] | None = None
) -> None:
    """Train a network on for so many epochs; weights that are 0 stay 0.

    While it is trained, the learner's weights that `views` names are seen through these modules; then they
    become what is seen. Raises: TrainingDiverged.
    """
    settings = context.recipe.training
    assert settings is not None
    if epochs == 0:
        return
    settings = msgspec.structs.replace(
        settings, epochs=epochs, learning_rate=settings.learning_rate * _SHARE_OF_RATE
    )
    weights = {name: one for name, one in trained.learner.named_parameters() if one.ndim > 1}
    held = {name: _ZerosHeld(one) for name, one in weights.items() if (one == 0).any()}
    views = views or {}
    seen = {
        name: nn.Sequential(*(one[name] for one in (held, views) if name in one))
        for name in weights
        if name in held or name in views
    }
    learner = _Viewed(trained.learner, seen)
    train_anew(learner, trained, context, settings)
    with torch.no_grad():
        for name, values in learner.weights().items():
            weights[name].copy_(values)


def train_anew(learner: nn.Module, trained: TrainedNetwork, context: Context, settings: Training) -> None:
    """Train a learner that takes what the encoding of `trained` gives. Raises: TrainingDiverged."""
    samples, validation = (
        replace(one, inputs=trained.encoding.apply(one.inputs))
        for one in (context.dataset.train, context.dataset.validation)
    )
    train(
        learner,
        samples,
        validation,
        settings,
        seed=context.recipe.seed,
        stage=context.stage,
        checkpoint=_checkpoint(learner, context, settings),
    )


def _checkpoint(learner: nn.Module, context: Context, settings: Training) -> Checkpoint | None:
    """Name the checkpoint of one of several trainings by what it starts from."""
    if context.training is None:
        return None
    decisive = (training_digest(context.recipe, context.dataset), context.recipe.compression, settings)
    digest = starting_from(msgspec.json.encode(decisive).decode(), learner)
    return Checkpoint(context.training / f"{digest[:16]}.safetensors", digest)


class _Viewed(nn.Module):
    """A learner some of whose weights are seen through modules: what training takes for a learner.

    No hooks and no parametrizations: other processes are handed a copy, which would have neither.
    """

    def __init__(self, learner: nn.Module, views: Mapping[str, nn.Module]) -> None:
        super().__init__()
        self.learner = learner
        self.views = nn.ModuleList(views.values())
        self._names = tuple(views)

    def weights(self) -> dict[str, torch.Tensor]:
        """Return the weights as they are seen, by name."""
        return {
            name: view(self.learner.get_parameter(name))
            for name, view in zip(self._names, self.views, strict=True)
        }

    def forward(self, inputs: tuple[torch.Tensor, ...], targets: torch.Tensor | None) -> torch.Tensor:
        loss: torch.Tensor = functional_call(self.learner, self.weights(), (inputs, targets))
        return loss


class _ZerosHeld(nn.Module):
    """Weights without those that are 0 now."""

    def __init__(self, weights: torch.Tensor) -> None:
        super().__init__()
        self.register_buffer("there", (weights != 0).to(weights.dtype))
        self.there: torch.Tensor

    def forward(self, weights: torch.Tensor) -> torch.Tensor:
        return weights * self.there
