"""Unstructured pruning: the smallest weights of a network become 0.

A file holds zeros as it holds other numbers, so it shrinks only where what stores it compresses it; and
onnxruntime multiplies by them as by others. What is gained is room for a later step: weights that are 0 have
no error of rounding.

Source: Han et al. 2015 (learning both weights and connections); Zhu and Gupta 2018 (in rounds); Frankle and
Carbin 2019 (a share of what is left in each).
"""

import torch
from torch import nn

from lampyris_build.compression.context import Context
from lampyris_build.compression.fine_tuning import copy_of, fine_tune
from lampyris_build.recipe.compression import UnstructuredPruning
from lampyris_build.trained import TrainedNetwork

_PRUNED = (nn.Linear, nn.modules.conv._ConvNd, nn.RNNBase)  # noqa: SLF001 - torch has no other name for all of them


def prune_weights(trained: TrainedNetwork, step: UnstructuredPruning, context: Context) -> TrainedNetwork:
    """Return a copy with `share` of the weights of all layers set to 0, those nearest to it.

    Raises: TrainingDiverged.
    """
    pruned = copy_of(trained)
    for done in range(1, step.rounds + 1):
        _zero_smallest(pruned.learner.network, 1 - (1 - step.share) ** (done / step.rounds))
        fine_tune(pruned, context, step.epochs)
    return pruned


def _zero_smallest(network: nn.Module, share: float) -> None:
    layers = [layer for layer in network.modules() if isinstance(layer, _PRUNED)]
    named = [one for layer in layers for one in layer.named_parameters(recurse=False)]
    weights = [parameter.data for name, parameter in named if name.startswith("weight")]
    if not weights:
        return
    magnitudes = torch.cat([one.abs().flatten() for one in weights])
    count = round(share * len(magnitudes))
    if count:
        threshold = magnitudes.kthvalue(count).values
        for one in weights:
            one[one.abs() <= threshold] = 0
