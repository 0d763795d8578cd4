"""Train on after a step, so that the network makes good what the step cost."""

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Final

import msgspec
from torch import nn

from lampyris_build.compression.context import Context
from lampyris_build.recipe.training import Training
from lampyris_build.trained import TrainedNetwork
from lampyris_build.training.loop import train

# Of the learning rate that the weights were found with: they are to be corrected, not found anew.
_SHARE_OF_RATE: Final = 0.1


def copy_of(trained: TrainedNetwork) -> TrainedNetwork:
    """Return a copy that a step may change."""
    return TrainedNetwork(copy.deepcopy(trained.learner), trained.encoding, trained.example)


def fine_tune(trained: TrainedNetwork, context: Context, epochs: int) -> None:
    """Train a network on for so many epochs; weights that are 0 stay 0. Raises: TrainingDiverged."""
    assert context.recipe.training is not None
    if epochs == 0:
        return
    settings = context.recipe.training
    settings = msgspec.structs.replace(
        settings, epochs=epochs, learning_rate=settings.learning_rate * _SHARE_OF_RATE
    )
    with _zeros_held(trained.learner.network):
        train_anew(trained.learner, trained, context, settings)


def train_anew(learner: nn.Module, trained: TrainedNetwork, context: Context, settings: Training) -> None:
    """Train a learner that takes what the encoding of `trained` gives. Raises: TrainingDiverged."""
    samples, validation = (
        replace(one, inputs=trained.encoding.apply(one.inputs))
        for one in (context.dataset.train, context.dataset.validation)
    )
    train(learner, samples, validation, settings, seed=context.recipe.seed, stage=context.stage)


@contextmanager
def _zeros_held(network: nn.Module) -> Iterator[None]:
    """Give weights that are 0 no gradient: no optimizer moves them then."""
    handles = []
    for weights in network.parameters():
        there = (weights != 0).to(weights.dtype)
        if weights.ndim > 1 and not there.all():
            handles.append(weights.register_hook(there.mul))  # type: ignore[no-untyped-call]  # torch's
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
