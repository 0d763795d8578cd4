from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import Progress
from torch import nn

from lampyris_build.data.dataset import Dataset, Feature, Samples
from lampyris_build.errors import InvalidRecipe, TrainingDiverged, WorkerLost
from lampyris_build.learner import Learner
from lampyris_build.recipe.training import Training
from lampyris_build.stages import Stage
from lampyris_build.tasks.classification import Classification
from lampyris_build.training import distributed
from lampyris_build.training.checkpoint import Checkpoint
from lampyris_build.training.distributed import workers
from lampyris_build.training.handing import from_bytes, to_bytes
from lampyris_build.training.loop import train

# A batch of 9 is 4 and 5 samples; the rest of 70 is dropped.
SETTINGS = Training(epochs=4, batch_size=9, learning_rate=1e-2, clip_norm=0.5, patience=3)

Trains = Callable[..., nn.Module]
Weights = Callable[[nn.Module], NDArray[Any]]


class _AfterSteps(Stage):
    """A stage in which something happens after a step."""

    def __init__(self, step: int, happens: Callable[[], None]) -> None:
        progress = Progress(console=Console(quiet=True))
        super().__init__(progress, progress.add_task("training", detail=""))
        self._left = step
        self._happens = happens

    def advance(self, detail: str) -> None:
        super().advance(detail)
        self._left -= 1
        if self._left == 0:
            self._happens()


def interrupt() -> None:
    raise KeyboardInterrupt


@pytest.fixture
def trains(train_set: Samples, validation_set: Samples) -> Trains:
    """Train a network with batch normalisation and without anything random."""

    def run(
        settings: Training, checkpoint: Checkpoint | None = None, stage: Stage | None = None
    ) -> nn.Module:
        dataset = Dataset(
            name="vectors",
            digest="",
            features=(Feature(name="features", kind="vector", shape=(6,)),),
            classes=("one", "two", "three"),
            train=train_set,
            validation=validation_set,
            test=validation_set,
        )
        torch.manual_seed(0)
        learner = Learner(
            preprocessing=nn.Identity(),  # type: ignore[arg-type]  # the vectors are as they should be
            augmentation=nn.Identity(),
            # No bias before a normalisation: its gradient is nothing but what rounding leaves.
            network=nn.Sequential(nn.Linear(6, 8, bias=False), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 3)),
            task=Classification(dataset, label_smoothing=0.1),
        )
        stage = stage or _AfterSteps(0, interrupt)
        train(learner, train_set, validation_set, settings, seed=1, stage=stage, checkpoint=checkpoint)
        return learner

    return run


@pytest.mark.parametrize(
    ("parallel", "optimizer"),
    [
        ("ddp", "AdamW"),
        pytest.param("fsdp", "AdamW", marks=pytest.mark.slow),
        pytest.param("fsdp", "SGD", marks=pytest.mark.slow),
    ],
)
def test_two_workers_end_in_the_weights_of_one(
    trains: Trains, weights: Weights, tmp_path: Path, parallel: str, optimizer: str
) -> None:
    settings = msgspec.structs.replace(SETTINGS, parallel=parallel, optimizer=optimizer)
    expected = weights(trains(settings))
    with workers(2), pytest.raises(KeyboardInterrupt):
        trains(settings, Checkpoint(tmp_path / "one", "digest", every_s=0), _AfterSteps(11, interrupt))

    with workers(2):
        resumed = trains(settings, Checkpoint(tmp_path / "one", "digest"))
        again = trains(settings)

    np.testing.assert_allclose(weights(again), expected, atol=1e-4)
    np.testing.assert_array_equal(weights(resumed), weights(again))


def test_convolutions_train_in_two_workers_as_in_one(weights: Weights, tmp_path: Path) -> None:
    """Gradients of theirs lie in memory as pictures do; what does not lie as they do is warned of."""
    settings = Training(epochs=2, batch_size=9, schedule="constant")
    expected = weights(trained_on_pictures(settings))
    with workers(2), pytest.raises(KeyboardInterrupt):
        trained_on_pictures(
            settings, Checkpoint(tmp_path / "one", "digest", every_s=0), _AfterSteps(5, interrupt)
        )

    with workers(2):
        resumed = trained_on_pictures(settings, Checkpoint(tmp_path / "one", "digest"))
        again = trained_on_pictures(settings)

    np.testing.assert_allclose(weights(again), expected, atol=1e-4)
    np.testing.assert_array_equal(weights(resumed), weights(again))


def trained_on_pictures(
    settings: Training, checkpoint: Checkpoint | None = None, stage: Stage | None = None
) -> nn.Module:
    rng = np.random.default_rng(0)
    samples = Samples(
        inputs={"image": rng.integers(0, 256, (40, 6, 6, 1), dtype=np.uint8)},
        targets=rng.integers(0, 3, 40),
    )
    dataset = Dataset(
        name="pictures",
        digest="",
        features=(Feature(name="image", kind="image", shape=(6, 6, 1)),),
        classes=("one", "two", "three"),
        train=samples,
        validation=samples,
        test=samples,
    )
    task = Classification(dataset, label_smoothing=0)
    torch.manual_seed(0)
    learner = Learner(
        preprocessing=task.preprocessing(samples),
        augmentation=nn.Identity(),
        network=nn.Sequential(
            nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Conv2d(4, 4, 3, groups=2), nn.ReLU(),
            nn.ConvTranspose2d(4, 2, 2), nn.Flatten(), nn.Linear(18, 3),
        ),
        task=task,
    )  # fmt: skip
    stage = stage or _AfterSteps(0, interrupt)
    train(learner, samples, samples, settings, seed=1, stage=stage, checkpoint=checkpoint)
    return learner


def test_training_that_diverges_leaves_the_workers_ready_for_the_next(trains: Trains) -> None:
    hasty = msgspec.structs.replace(
        SETTINGS, learning_rate=1e6, optimizer="SGD", schedule="constant", clip_norm=None, epochs=50
    )

    with workers(2):
        with pytest.raises(TrainingDiverged):
            trains(hasty)
        with pytest.raises(InvalidRecipe, match="AdmaW"):
            trains(msgspec.structs.replace(SETTINGS, optimizer="AdmaW"))
        learner = trains(SETTINGS)

    assert all(torch.isfinite(one).all() for one in learner.parameters())


def test_worker_that_dies_ends_the_training_with_a_sentence(trains: Trains, tmp_path: Path) -> None:
    def kill() -> None:
        assert distributed._crew is not None
        distributed._crew._processes[0].kill()

    with (
        workers(2),
        pytest.raises(WorkerLost, match=r"worker 1 ended with SIGKILL\. The same command goes on"),
    ):
        trains(SETTINGS, Checkpoint(tmp_path / "one", "digest", every_s=0), _AfterSteps(5, kill))

    assert Checkpoint(tmp_path / "one", "digest").load() is not None


def test_batch_that_cannot_be_divided_is_refused(trains: Trains) -> None:
    with workers(3), pytest.raises(InvalidRecipe, match="a batch of 2 cannot be divided among 3 workers"):
        trains(msgspec.structs.replace(SETTINGS, batch_size=2))


def test_array_in_a_file_is_handed_over_by_its_path(tmp_path: Path) -> None:
    np.save(tmp_path / "one.npy", np.arange(100_000.0).reshape(1000, 100))
    mapped = np.load(tmp_path / "one.npy", mmap_mode="r")

    told = to_bytes({"whole": mapped, "part": mapped[3:5]})

    assert len(told) < 10_000
    again = from_bytes(told)
    assert isinstance(again["whole"], np.memmap)
    np.testing.assert_array_equal(again["whole"], mapped)
    np.testing.assert_array_equal(again["part"], mapped[3:5])


def test_network_that_cannot_leave_its_process_is_refused() -> None:
    with pytest.raises(InvalidRecipe, match="Train it with one worker"):
        to_bytes(lambda: None)
