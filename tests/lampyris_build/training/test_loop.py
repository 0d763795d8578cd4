import os
import random
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import nn

from lampyris_build.data.dataset import Samples
from lampyris_build.errors import InvalidRecipe, TrainingDiverged
from lampyris_build.recipe.training import Training
from lampyris_build.training.checkpoint import Checkpoint
from lampyris_build.training.history import Epoch, History
from lampyris_build.training.loop import train

STEPS = 4 * 8

Trains = Callable[..., tuple[nn.Module, History]]
Weights = Callable[[nn.Module], NDArray[Any]]


@pytest.fixture
def trains(
    new_learner: Callable[[], nn.Module], new_stage: Any, train_set: Samples, validation_set: Samples
) -> Trains:
    """Train a new learner, from the checkpoint at a path; Ctrl-C may come after some steps."""

    def run(
        settings: Training, path: Path | None = None, *, interrupted_after: int | None = None, **options: Any
    ) -> tuple[nn.Module, History]:
        learner = options.pop("learner", None) or new_learner()
        checkpoint = None if path is None else Checkpoint(path, "digest", every_s=options.pop("every_s", 0))
        history = train(
            learner,
            options.pop("train_set", train_set),
            validation_set,
            settings,
            seed=options.pop("seed", 1),
            stage=new_stage(interrupted_after),
            checkpoint=checkpoint,
            **options,
        )
        return learner, history

    return run


def without_seconds(rows: tuple[Epoch, ...]) -> list[Epoch]:
    return [msgspec.structs.replace(row, seconds=0) for row in rows]


def test_training_learns_the_task(trains: Trains, settings: Training) -> None:
    _, history = trains(msgspec.structs.replace(settings, epochs=15))

    first, last = history.rows[0], history.rows[-1]
    assert last.loss < 0.7 * first.loss
    assert last.validation_loss < 0.7 * first.validation_loss


def test_history_has_a_row_for_each_epoch(trains: Trains, settings: Training) -> None:
    _, history = trains(settings)

    assert [row.epoch for row in history.rows] == [1, 2, 3, 4]
    assert [row.step for row in history.rows] == [8, 16, 24, 32]
    assert history.rows[0].seconds < history.rows[-1].seconds
    assert history.rows[-1].learning_rate == 0
    assert not history.stopped_early


def test_stage_tells_epoch_loss_and_validation_loss(
    new_learner: Callable[[], nn.Module],
    new_stage: Any,
    train_set: Samples,
    validation_set: Samples,
    settings: Training,
) -> None:
    stage = new_stage()

    history = train(new_learner(), train_set, validation_set, settings, seed=1, stage=stage)

    assert len(stage.details) == STEPS
    assert stage.details[0].startswith("epoch 1 of 4, loss ")
    assert stage.details[8].endswith(f", validation {history.rows[0].validation_loss:.3f}")


def test_same_seed_ends_in_equal_weights(trains: Trains, weights: Weights, settings: Training) -> None:
    (first, _), (again, _), (other, _) = trains(settings), trains(settings), trains(settings, seed=2)

    np.testing.assert_array_equal(weights(first), weights(again))
    assert not np.array_equal(weights(first), weights(other))


@pytest.mark.parametrize(
    "changes",
    [
        {"optimizer": "SGD", "schedule": "cosine"},
        {"optimizer": "AdamW", "patience": 2, "clip_norm": 0.5},
        {"optimizer": "LBFGS", "schedule": "constant", "optimizer_options": {"max_iter": 3}},
        {"optimizer": "Adafactor", "schedule": "ReduceLROnPlateau", "schedule_options": {"patience": 0}},
        {"optimizer": "RMSprop", "schedule": "OneCycleLR", "precision": "bf16"},
    ],
    ids=lambda changes: changes["optimizer"],
)
def test_training_interrupted_anywhere_ends_as_an_uninterrupted_one(
    trains: Trains, weights: Weights, settings: Training, tmp_path: Path, changes: dict[str, Any]
) -> None:
    settings = msgspec.structs.replace(settings, **changes)
    whole, history = trains(settings)

    for steps in (5, 3, 9, 7):  # within epochs, and at the end of the third
        with pytest.raises(KeyboardInterrupt):
            trains(settings, tmp_path / "checkpoint", interrupted_after=steps)
    resumed, resumed_history = trains(settings, tmp_path / "checkpoint")

    assert (
        resumed_history.resumed_steps == 20
    )  # what was interrupted was not saved: four steps are done again
    np.testing.assert_array_equal(weights(resumed), weights(whole))
    assert without_seconds(resumed_history.rows) == without_seconds(history.rows)


KILLED = """
import sys
from pathlib import Path
import torch
sys.path.insert(0, sys.argv[1])
torch.set_num_threads(1)
from conftest import _Learner, _QuietStage, _samples
from lampyris_build.recipe.training import Training
from lampyris_build.training.checkpoint import Checkpoint
from lampyris_build.training.loop import train
import msgspec
torch.manual_seed(0)
settings = msgspec.json.decode(sys.argv[3], type=Training)
checkpoint = Checkpoint(Path(sys.argv[2]), "digest", every_s=0)
class Told(_QuietStage):
    def advance(self, detail):
        print(flush=True)
train(_Learner(), _samples(70, 1), _samples(30, 2), settings, seed=1, stage=Told(), checkpoint=checkpoint)
"""


def test_training_killed_while_it_saves_ends_as_an_uninterrupted_one(
    trains: Trains, weights: Weights, settings: Training, tmp_path: Path
) -> None:
    settings = msgspec.structs.replace(settings, epochs=8)
    whole, _ = trains(settings)
    process = subprocess.Popen(
        [sys.executable, "-c", KILLED, str(Path(__file__).parent), str(tmp_path / "checkpoint"),
         msgspec.json.encode(settings).decode()],
        stdout=subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout is not None
    for _ in range(random.randint(5, 40)):
        process.stdout.readline()

    process.send_signal(signal.SIGKILL)
    process.communicate()
    resumed, history = trains(settings, tmp_path / "checkpoint", every_s=30)

    assert 0 < history.resumed_steps < 8 * 8
    np.testing.assert_array_equal(weights(resumed), weights(whole))


def test_network_that_lies_in_memory_in_its_own_way_resumes_as_if_uninterrupted(
    trains: Trains, new_learner: Callable[[], nn.Module], weights: Weights, settings: Training, tmp_path: Path
) -> None:
    def transposed() -> nn.Module:
        learner = new_learner()
        for one in learner.parameters():
            one.data = one.data.t().contiguous().t()
        return learner

    whole, _ = trains(settings, learner=transposed())
    with pytest.raises(KeyboardInterrupt):
        trains(settings, tmp_path / "checkpoint", learner=transposed(), interrupted_after=11)

    resumed, _ = trains(settings, tmp_path / "checkpoint", learner=transposed())

    np.testing.assert_array_equal(weights(resumed), weights(whole))


def test_finished_training_is_not_done_again(
    trains: Trains, weights: Weights, settings: Training, tmp_path: Path
) -> None:
    whole, history = trains(settings, tmp_path / "checkpoint")

    again, history_again = trains(settings, tmp_path / "checkpoint", interrupted_after=1)

    assert history_again.resumed_steps == STEPS
    assert history_again.rows == history.rows
    np.testing.assert_array_equal(weights(again), weights(whole))


def test_early_stopping_keeps_the_best_weights(trains: Trains, weights: Weights, settings: Training) -> None:
    hasty = msgspec.structs.replace(
        settings, epochs=50, learning_rate=0.3, schedule="constant", optimizer="Adam"
    )

    stopped, history = trains(msgspec.structs.replace(hasty, patience=3))
    until_best, _ = trains(msgspec.structs.replace(hasty, epochs=history.best_epoch))

    assert history.stopped_early
    assert len(history.rows) == history.best_epoch + 3 < 50
    np.testing.assert_array_equal(weights(stopped), weights(until_best))


def test_training_that_diverges_says_where_and_keeps_the_last_good_checkpoint(
    trains: Trains, new_learner: Callable[[], nn.Module], settings: Training, tmp_path: Path
) -> None:
    hasty = msgspec.structs.replace(settings, learning_rate=1e6, optimizer="SGD", schedule="constant")

    with pytest.raises(TrainingDiverged, match=r"at step \d+ of epoch \d; lower training.learning_rate"):
        trains(hasty, tmp_path / "checkpoint", learner=nn_without_normalization())

    saved = Checkpoint(tmp_path / "checkpoint", "digest").load()
    assert saved is not None
    assert all(torch.isfinite(one).all() for one in saved["learner"].values())


class _Unbounded(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(6, 8), nn.Linear(8, 8), nn.Linear(8, 3))

    def forward(self, inputs: tuple[torch.Tensor, ...], targets: torch.Tensor | None) -> torch.Tensor:
        assert targets is not None
        return nn.functional.mse_loss(self.layers(inputs[0])[:, 0], targets.float())


def nn_without_normalization() -> nn.Module:
    return _Unbounded()


def test_clipping_bounds_the_norm_of_the_gradients(trains: Trains, settings: Training) -> None:
    one_step = msgspec.structs.replace(
        settings, epochs=1, batch_size=70, optimizer="SGD", schedule="constant", weight_decay=0,
        learning_rate=1, optimizer_options={"momentum": 0.0}, clip_norm=1e-3,
    )  # fmt: skip
    before = _Unbounded()
    start = [one.detach().clone() for one in before.parameters()]

    trains(one_step, learner=before)

    moved = torch.cat([(one - was).flatten() for one, was in zip(before.parameters(), start, strict=True)])
    assert moved.norm().item() == pytest.approx(1e-3, rel=1e-3)


def test_bf16_learns_as_fp32_does(trains: Trains, settings: Training) -> None:
    longer = msgspec.structs.replace(settings, epochs=15)

    _, fp32 = trains(longer)
    _, bf16 = trains(msgspec.structs.replace(longer, precision="bf16"))

    assert bf16.rows[-1].loss != fp32.rows[-1].loss
    assert bf16.rows[-1].validation_loss == pytest.approx(fp32.rows[-1].validation_loss, abs=0.03)


def test_batch_larger_than_the_training_set_takes_it_whole(trains: Trains, settings: Training) -> None:
    _, history = trains(msgspec.structs.replace(settings, batch_size=10_000))

    assert [row.step for row in history.rows] == [1, 2, 3, 4]


def test_samples_in_a_file_train_as_samples_in_memory_do(
    trains: Trains, weights: Weights, settings: Training, train_set: Samples, tmp_path: Path
) -> None:
    np.save(tmp_path / "features.npy", train_set.inputs["features"])
    mapped = np.load(tmp_path / "features.npy", mmap_mode="r")

    from_file, _ = trains(settings, train_set=Samples(inputs={"features": mapped}, targets=train_set.targets))
    from_memory, _ = trains(settings)

    np.testing.assert_array_equal(weights(from_file), weights(from_memory))


def test_optimizer_that_cannot_take_the_network_is_refused(trains: Trains, settings: Training) -> None:
    with pytest.raises(
        InvalidRecipe, match=r"training\.optimizer Muon cannot be made: Muon only supports 2D"
    ):
        trains(msgspec.structs.replace(settings, optimizer="Muon"))


def test_generators_of_others_are_not_needed_to_resume(
    trains: Trains, weights: Weights, settings: Training, tmp_path: Path
) -> None:
    whole, _ = trains(settings)
    with pytest.raises(KeyboardInterrupt):
        trains(settings, tmp_path / "checkpoint", interrupted_after=11)

    np.random.default_rng()
    torch.rand(int.from_bytes(os.urandom(1)) + 1)
    resumed, _ = trains(settings, tmp_path / "checkpoint")

    np.testing.assert_array_equal(weights(resumed), weights(whole))
