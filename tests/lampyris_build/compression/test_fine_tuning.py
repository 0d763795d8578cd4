import copy
import pickle
from dataclasses import replace
from pathlib import Path

import torch
from torch import nn

from lampyris_build.compression.context import Context
from lampyris_build.compression.distillation import _Distilling
from lampyris_build.compression.fine_tuning import _Viewed, _ZerosHeld, copy_of, fine_tune
from lampyris_build.compression.quantization_aware_training import _RoundedWeights
from lampyris_build.recipe.compression import Distillation
from lampyris_build.recipe.models import MlpModel
from lampyris_build.trained import TrainedNetwork


def batch(context: Context) -> tuple[tuple[torch.Tensor, ...], torch.Tensor]:
    samples = context.dataset.train.take(slice(0, 8))
    assert samples.targets is not None
    return (torch.from_numpy(samples.inputs["image"]),), torch.from_numpy(samples.targets)


def test_the_rate_is_a_tenth_of_what_the_weights_were_found_with(
    trained: TrainedNetwork, context: Context
) -> None:
    tuned = copy_of(trained)

    fine_tune(tuned, context, 1)

    moved = [
        float((before - after).abs().max().detach())
        for before, after in zip(trained.learner.parameters(), tuned.learner.parameters(), strict=True)
    ]
    # AdamW moves a weight by about its rate in a step, 1e-3 here; there are 9 steps in this epoch.
    assert 1e-4 < max(moved) < 2e-2


def test_no_epochs_change_nothing(trained: TrainedNetwork, context: Context) -> None:
    tuned = copy_of(trained)

    fine_tune(tuned, context, 0)

    assert all(
        torch.equal(before, after)
        for before, after in zip(trained.learner.parameters(), tuned.learner.parameters(), strict=True)
    )


def test_interrupted_build_finds_the_training_again(
    trained: TrainedNetwork, context: Context, tmp_path: Path
) -> None:
    first, second, other = copy_of(trained), copy_of(trained), copy_of(trained)
    context = replace(context, training=tmp_path)
    with torch.no_grad():
        next(other.learner.parameters()).mul_(2)

    fine_tune(first, context, 1)
    (checkpoint,) = tmp_path.iterdir()
    written = checkpoint.stat().st_mtime_ns
    fine_tune(second, context, 1)
    fine_tune(other, context, 1)

    assert checkpoint.stat().st_mtime_ns == written
    assert all(
        torch.equal(one, same)
        for one, same in zip(first.learner.parameters(), second.learner.parameters(), strict=True)
    )
    assert len(list(tmp_path.iterdir())) == 2


def test_other_processes_can_be_handed_a_learner_with_its_views(
    trained: TrainedNetwork, context: Context
) -> None:
    layer = next(name for name, one in trained.learner.named_modules() if isinstance(one, nn.Conv2d))
    weights = trained.learner.get_parameter(f"{layer}.weight")
    kept = (weights.abs() > weights.abs().median()).float()
    view = nn.Sequential(_ZerosHeld(kept), _RoundedWeights())
    learner = _Viewed(trained.learner, {f"{layer}.weight": view}).eval()

    expected = learner(*batch(context))

    for other in (copy.deepcopy(learner), pickle.loads(pickle.dumps(learner))):
        torch.testing.assert_close(other(*batch(context)), expected)
        assert (next(iter(other.weights().values()))[kept == 0] == 0).all()
    assert not torch.allclose(trained.learner(*batch(context)), expected)


def test_other_processes_can_be_handed_a_student_with_its_teacher(
    trained: TrainedNetwork, context: Context
) -> None:
    step = Distillation(student=MlpModel())
    learner = _Distilling(copy.deepcopy(trained.learner), trained.learner.network, step).eval()

    handed = pickle.loads(pickle.dumps(learner))

    torch.testing.assert_close(handed(*batch(context)), learner(*batch(context)))
    assert handed.state_dict().keys() == learner.state_dict().keys()
