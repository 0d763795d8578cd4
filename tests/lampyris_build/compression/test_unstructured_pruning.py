import msgspec
import numpy as np
import torch
from torch import nn

from lampyris_build.compression.context import Context
from lampyris_build.compression.unstructured_pruning import prune_weights
from lampyris_build.recipe.compression import UnstructuredPruning
from lampyris_build.trained import TrainedNetwork


def weights(trained: TrainedNetwork) -> list[torch.Tensor]:
    layers = [one for one in trained.learner.network.modules() if isinstance(one, nn.Linear | nn.Conv2d)]
    return [one.weight.detach() for one in layers]


def share_of_zeros(trained: TrainedNetwork) -> float:
    flat = torch.cat([one.flatten() for one in weights(trained)])
    return float((flat == 0).float().mean())


def test_the_smallest_weights_of_all_layers_become_zero(trained: TrainedNetwork, context: Context) -> None:
    pruned = prune_weights(trained, UnstructuredPruning(share=0.6, epochs=0), context)

    before = torch.cat([one.flatten() for one in weights(trained)])
    after = torch.cat([one.flatten() for one in weights(pruned)])
    assert abs(share_of_zeros(pruned) - 0.6) < 0.001
    assert before[after == 0].abs().max() <= before[after != 0].abs().min()
    torch.testing.assert_close(after[after != 0], before[after != 0])


def test_zeros_stay_zero_while_the_rest_is_trained(trained: TrainedNetwork, context: Context) -> None:
    without = prune_weights(trained, UnstructuredPruning(share=0.6, epochs=0), context)

    pruned = prune_weights(trained, UnstructuredPruning(share=0.6, epochs=1), context)

    assert share_of_zeros(pruned) == share_of_zeros(without)
    assert any(not torch.equal(a, b) for a, b in zip(weights(pruned), weights(without), strict=True))


def test_rounds_end_at_the_same_share(trained: TrainedNetwork, context: Context) -> None:
    pruned = prune_weights(trained, UnstructuredPruning(share=0.6, rounds=3, epochs=0), context)

    assert abs(share_of_zeros(pruned) - 0.6) < 0.001


def test_the_model_that_was_pruned_stays_as_it_was(trained: TrainedNetwork, context: Context) -> None:
    before = [one.clone() for one in weights(trained)]

    prune_weights(trained, UnstructuredPruning(share=0.6), context)

    assert all(torch.equal(a, b) for a, b in zip(before, weights(trained), strict=True))


def test_half_of_the_weights_are_enough(trained: TrainedNetwork, context: Context) -> None:
    pruned = prune_weights(trained, UnstructuredPruning(share=0.5), context)

    (probabilities,) = pruned.predict(context.dataset.test.inputs)
    assert (probabilities.argmax(axis=1) == context.dataset.test.targets).mean() >= 0.95


def test_no_optimizer_moves_a_zero(trained: TrainedNetwork, context: Context) -> None:
    assert context.recipe.training is not None
    training = msgspec.structs.replace(
        context.recipe.training, optimizer="SGD", optimizer_options={"momentum": 0.9, "nesterov": True}
    )
    recipe = msgspec.structs.replace(context.recipe, training=training)
    other = Context(
        recipe=recipe,
        dataset=context.dataset,
        task=context.task,
        calibration=context.calibration,
        stage=context.stage,
    )

    pruned = prune_weights(trained, UnstructuredPruning(share=0.6), other)

    assert abs(share_of_zeros(pruned) - 0.6) < 0.001
    assert np.isfinite(pruned.predict(context.dataset.test.inputs)[0]).all()
