import pytest
import torch
from torch import nn

from lampyris_build.compression import structured_pruning
from lampyris_build.compression.context import Context
from lampyris_build.errors import InvalidRecipe
from lampyris_build.models import network_for
from lampyris_build.models.resnet import Resnet
from lampyris_build.recipe.compression import StructuredPruning
from lampyris_build.recipe.models import GptModel, RecurrentModel, TransformerModel
from lampyris_build.trained import TrainedNetwork


def size(trained: TrainedNetwork) -> int:
    return sum(one.numel() for one in trained.learner.network.parameters())


def test_channels_and_their_weights_are_gone(trained: TrainedNetwork, context: Context) -> None:
    pruned = structured_pruning.remove_channels(trained, StructuredPruning(share=0.5, epochs=0), context)

    convolutions = [one for one in pruned.learner.network.modules() if isinstance(one, nn.Conv2d)]
    assert [one.weight.shape for one in convolutions] == [(4, 1, 3, 3), (8, 4, 3, 3)]
    assert size(pruned) < 0.35 * size(trained)


def test_channels_that_a_shortcut_adds_leave_together(residual: TrainedNetwork, context: Context) -> None:
    pruned = structured_pruning.remove_channels(residual, StructuredPruning(share=0.25), context)

    (probabilities,) = pruned.predict(context.dataset.test.inputs)
    assert size(pruned) < 0.7 * size(residual)
    assert (probabilities.argmax(axis=1) == context.dataset.test.targets).mean() >= 0.95


def test_filters_that_are_not_learnt_stay(residual: TrainedNetwork, context: Context) -> None:
    pruned = structured_pruning.remove_channels(residual, StructuredPruning(share=0.5, epochs=0), context)

    before, after = residual.learner.network, pruned.learner.network
    assert isinstance(before, Resnet)
    assert isinstance(after, Resnet)
    assert torch.equal(after.whitening.convolution.weight, before.whitening.convolution.weight)


def test_the_model_that_was_pruned_stays_as_it_was(trained: TrainedNetwork, context: Context) -> None:
    before = size(trained)

    structured_pruning.remove_channels(trained, StructuredPruning(share=0.5, epochs=0), context)

    assert size(trained) == before


def test_a_share_of_less_than_a_channel_is_refused(trained: TrainedNetwork, context: Context) -> None:
    with pytest.raises(InvalidRecipe, match="no channel can leave this network; leave the step out"):
        structured_pruning.remove_channels(trained, StructuredPruning(share=0.01), context)


@pytest.mark.parametrize(
    ("model", "left"),
    [
        # Only what stands between the two layers of each feed-forward part depends on nothing else.
        (
            TransformerModel(width=16, heads=2, layers=2),
            {"blocks.0.feed_forward.1": 32, "blocks.1.feed_forward.1": 32},
        ),
        (GptModel(width=16, heads=2, layers=2), {"blocks.0.widen": 32, "blocks.1.widen": 32}),
    ],
)
def test_of_attention_nothing_is_removed(model: TransformerModel | GptModel, left: dict[str, int]) -> None:
    torch.manual_seed(0)
    network = network_for(model, (8,), 10, 10).eval()
    for weights in network.parameters():
        if weights.ndim > 1:
            nn.init.normal_(weights, std=0.3)  # some begin as zeros, which nobody would miss
    words = torch.randint(1, 10, (4, 8))
    before = {name: one.out_features for name, one in network.named_modules() if isinstance(one, nn.Linear)}

    for layer in structured_pruning._layers(network, words):
        network = structured_pruning._without(network, layer, 0.5, words) or network

    after = {name: one.out_features for name, one in network.named_modules() if isinstance(one, nn.Linear)}
    assert after == before | left


def test_cells_of_a_recurrent_network_stay(context: Context) -> None:
    network = network_for(RecurrentModel(layers=2), (6, 3), 2, 0).eval()
    series = torch.randn(4, 6, 3)

    layers = structured_pruning._layers(network, series)

    assert all(structured_pruning._without(network, layer, 0.5, series) is None for layer in layers)
