from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import numpy_helper
from torch import nn

from lampyris_build.compression.context import Context
from lampyris_build.compression.fine_tuning import copy_of
from lampyris_build.compression.quantization_aware_training import (
    _RoundedInput,
    _RoundedWeights,
    train_rounded,
)
from lampyris_build.compression.static_int8 import static_int8
from lampyris_build.compression.unstructured_pruning import prune_weights
from lampyris_build.evaluation.session import open_session, run
from lampyris_build.recipe.compression import QuantizationAwareTraining, StaticInt8, UnstructuredPruning
from lampyris_build.trained import TrainedNetwork


@pytest.fixture(scope="module")
def rounded(trained: TrainedNetwork, context: Context) -> TrainedNetwork:
    return train_rounded(trained, QuantizationAwareTraining(), context)


@pytest.fixture(scope="module")
def int8(rounded: TrainedNetwork, context: Context, tmp_path_factory: pytest.TempPathFactory) -> Path:
    work = tmp_path_factory.mktemp("rounded")
    rounded.export(work / "rounded.onnx")
    static_int8(work / "rounded.onnx", StaticInt8(), context, work / "int8.onnx")
    return work / "int8.onnx"


def test_weights_are_multiples_of_a_step_of_their_channel(rounded: TrainedNetwork) -> None:
    for layer in rounded.learner.network.modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            weights = layer.weight.detach().flatten(1)
            steps = weights / weights.abs().amax(dim=1, keepdim=True) * 64
            torch.testing.assert_close(steps, steps.round(), atol=1e-3, rtol=0)


def test_static_int8_finds_the_same_steps(rounded: TrainedNetwork, int8: Path) -> None:
    constants = onnx.load(int8).graph.initializer
    found = [numpy_helper.to_array(one) for one in constants if one.data_type == onnx.TensorProto.INT8]
    layers = [one for one in rounded.learner.network.modules() if isinstance(one, nn.Conv2d)]
    for layer in layers:
        weights = layer.weight.detach().flatten(1)
        expected = (
            (weights / weights.abs().amax(dim=1, keepdim=True) * 64)
            .round()
            .numpy()
            .reshape(layer.weight.shape)
        )
        # Normalisation may turn a channel's sign, and its weights with it.
        assert any(
            np.array_equal(np.abs(one), np.abs(expected)) for one in found if one.shape == expected.shape
        )


def test_rounded_answers_are_those_of_static_int8(
    rounded: TrainedNetwork, int8: Path, context: Context
) -> None:
    (before,) = rounded.predict(context.dataset.test.inputs)
    (after,) = run(open_session(int8), context.dataset.test.inputs)
    assert (before.argmax(axis=1) == after.argmax(axis=1)).mean() >= 0.98
    assert np.abs(before - after).mean() < 0.01


def test_nothing_of_the_rounding_is_left_in_the_network(
    trained: TrainedNetwork, rounded: TrainedNetwork
) -> None:
    assert rounded.learner.state_dict().keys() == trained.learner.state_dict().keys()
    assert not any(one._forward_pre_hooks for one in rounded.learner.network.modules())


def test_the_gradient_passes_the_rounding_of_weights() -> None:
    weights = torch.randn(4, 3, requires_grad=True)

    (_RoundedWeights()(weights) * torch.arange(12.0).reshape(4, 3)).sum().backward()

    torch.testing.assert_close(weights.grad, torch.arange(12.0).reshape(4, 3))


def test_a_channel_of_zeros_stays_zero() -> None:
    weights = torch.zeros(2, 3, 3, 3)

    assert torch.equal(_RoundedWeights()(weights), weights)


def test_activations_are_rounded_over_the_range_that_they_had_and_zero_is_kept() -> None:
    rounding = _RoundedInput()
    rounding(torch.tensor([-1.0, 4.1]))

    x = torch.tensor([-5.0, 0.0, 1.001, 9.0])
    answers = rounding.eval()(x)

    torch.testing.assert_close(answers, torch.tensor([-1.0, 0.0, 1.0, 4.1]), atol=1e-6, rtol=0)


def test_weights_that_were_pruned_stay_zero(trained: TrainedNetwork, context: Context) -> None:
    pruned = prune_weights(trained, UnstructuredPruning(share=0.5, epochs=0), context)

    rounded = train_rounded(pruned, QuantizationAwareTraining(), context)

    for before, after in zip(
        pruned.learner.network.parameters(), rounded.learner.network.parameters(), strict=True
    ):
        if before.ndim > 1:
            assert (after[before == 0] == 0).all()


def test_it_makes_good_what_rounding_alone_would_break(
    trained: TrainedNetwork, context: Context, tmp_path: Path
) -> None:
    sensitive = copy_of(trained)
    first, second = (one for one in sensitive.learner.network.modules() if isinstance(one, nn.Conv2d))
    with torch.no_grad():
        first.weight[0] = 0  # a channel that says nothing, and is listened to as to no other
        second.weight[:, 0] = 40 * second.weight.abs().max()

    rounded = train_rounded(sensitive, QuantizationAwareTraining(epochs=3), context)

    scores = []
    for name, network in {"before": sensitive, "after": rounded}.items():
        network.export(tmp_path / f"{name}.onnx")
        static_int8(tmp_path / f"{name}.onnx", StaticInt8(), context, tmp_path / "int8.onnx")
        answers = run(open_session(tmp_path / "int8.onnx"), context.dataset.test.inputs)
        scores.append(context.task.score(answers, context.dataset.test))
    assert scores[0] < 0.7, scores
    assert scores[1] > 0.95, scores
