"""Structured pruning: whole channels leave a network, and with them bytes and time.

Channels that depend on one another, as those that a residual connection adds, leave together. torch-pruning
finds which these are; whether it is right is tried out for each group.

Source: Li et al. 2017 (pruning filters for efficient convnets); Fang et al. 2023 (DepGraph).
"""

import copy
import warnings
from collections.abc import Iterator
from typing import Any, Final

import torch
import torch_pruning  # type: ignore[import-untyped,import-not-found,unused-ignore]  # it carries no types
from torch import nn

from lampyris_build.compression.context import Context
from lampyris_build.compression.fine_tuning import copy_of, fine_tune
from lampyris_build.errors import InvalidRecipe
from lampyris_build.recipe.compression import StructuredPruning
from lampyris_build.tasks.task import as_tensors
from lampyris_build.trained import TrainedNetwork

_EXAMPLES: Final = 4  # samples
_TOLERANCE: Final = 1e-3
_READING: Final = (torch_pruning.prune_linear_in_channels, torch_pruning.prune_conv_in_channels)


def remove_channels(trained: TrainedNetwork, step: StructuredPruning, context: Context) -> TrainedNetwork:
    """Return a copy without `share` of the channels of each hidden layer, those of least norm.

    Raises: InvalidRecipe if no channel can leave; TrainingDiverged.
    """
    pruned = copy_of(trained)
    learner = pruned.learner
    samples = context.dataset.train.take(slice(0, _EXAMPLES))
    x = learner.preprocessing(*as_tensors(trained.encoding.apply(samples.inputs)))
    removed = 0
    for layer in _layers(learner.network, x):
        without = _without(learner.network, layer, step.share, x)
        if without is not None:
            learner.network = without
            removed += 1
    if removed == 0:
        raise InvalidRecipe(
            recipe=context.recipe.name,
            reason="compression.steps has structured-pruning, but no channel can leave this network; "
            "leave the step out.",
        )
    fine_tune(pruned, context, step.epochs)
    return pruned


def _layers(network: nn.Module, x: torch.Tensor) -> list[str]:
    """Name one layer of each group of channels that depend on one another, if its weights are learnt.

    Those of a layer that whitens are the smallest for what varies most: their norm is no sign of use.
    """
    names = {module: name for name, module in network.named_modules()}
    layers = [group[0].dep.target.module for group in _graph(network, x).get_all_groups()]
    return [
        names[layer]
        for layer in layers
        if all(one.requires_grad for one in layer.parameters() if one.ndim > 1)
    ]


def _without(network: nn.Module, name: str, share: float, x: torch.Tensor) -> nn.Module | None:
    """Return a copy without `share` of the channels that a layer gives; None if they cannot leave.

    Whatever the channels hold, the answers must be the same without them as where nothing listens to them.
    """
    trial = copy.deepcopy(network)
    try:
        group = _least(trial, name, share, x)
        if group is None:
            return None
        with torch.no_grad():
            for weights, columns in _listening(group):
                weights[:, columns] = 0
            expected = trial(x)
            group.prune()
            answers = trial(x)
    except Exception:  # noqa: BLE001 - it misread the network, or a size stands written there: anything is raised
        return None
    same = expected.shape == answers.shape and torch.allclose(expected, answers, _TOLERANCE, _TOLERANCE)
    return trial if same else None


def _least(network: nn.Module, name: str, share: float, x: torch.Tensor) -> Any:
    """Return the group of the channels of a layer that have the least norm; None if that is no channel."""
    graph = _graph(network, x)
    layer = network.get_submodule(name)
    remove = graph.get_pruner_of_module(layer).prune_out_channels
    channels = graph.get_out_channels(layer)
    norms = torch_pruning.importance.GroupMagnitudeImportance(p=2)(
        graph.get_pruning_group(layer, remove, list(range(channels)))
    )
    least = norms.argsort()[: int(share * channels)].tolist()
    return graph.get_pruning_group(layer, remove, least) if least else None


def _listening(group: Any) -> Iterator[tuple[torch.Tensor, list[int]]]:
    """Yield the weights of layers that read the group's channels, and in which of their columns."""
    for dependency, columns in group:
        if dependency.handler in _READING:
            yield dependency.target.module.weight, columns


def _graph(network: nn.Module, x: torch.Tensor) -> Any:
    with warnings.catch_warnings():
        # It says which parameters stand outside of layers, and guesses what they are; the trial finds out.
        warnings.filterwarnings("ignore", message="Unwrapped parameters detected")
        return torch_pruning.DependencyGraph().build_dependency(network, x)
