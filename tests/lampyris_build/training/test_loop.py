from pathlib import Path

import msgspec
import numpy as np
import pytest
import torch
from rich.console import Console
from rich.progress import Progress

from lampyris_build.checkpoint import Checkpoint, training_digest
from lampyris_build.data import load_dataset
from lampyris_build.errors import TrainingDiverged
from lampyris_build.preprocessing import Classifier
from lampyris_build.recipe import CnnModel, Recipe, Training
from lampyris_build.stages import Stage
from lampyris_build.training import learning_rate, train, validation_accuracy


class _StopsAt(Stage):
    """A stage in which somebody presses Ctrl-C at a given step."""

    def __init__(self, step: int | None = None) -> None:
        progress = Progress(console=Console(quiet=True))
        super().__init__(progress, progress.add_task("training", detail=""))
        self._left = step

    def advance(self, detail: str) -> None:
        super().advance(detail)
        if self._left is not None:
            self._left -= 1
            if self._left == 0:
                raise KeyboardInterrupt


def weights(classifier: Classifier) -> np.ndarray:
    return torch.cat([one.flatten().to(torch.float64) for one in classifier.state_dict().values()]).numpy()


def trained(recipe: Recipe, checkpoint: Path, stage: Stage | None = None) -> Classifier:
    dataset = load_dataset(recipe)
    kept = Checkpoint(checkpoint, training_digest(recipe, dataset))
    return train(recipe, dataset, checkpoint=kept, stage=stage or _StopsAt())


@pytest.fixture
def with_dropout(recipe: Recipe) -> Recipe:
    return msgspec.structs.replace(recipe, model=CnnModel(channels=(4,), hidden=8, dropout=0.3))


def test_training_learns_the_task(recipe: Recipe, tmp_path: Path) -> None:
    classifier = trained(recipe, tmp_path / "checkpoint")

    assert validation_accuracy(classifier, load_dataset(recipe).test) > 0.9


def test_same_seed_ends_in_equal_weights(with_dropout: Recipe, tmp_path: Path) -> None:
    first = trained(with_dropout, tmp_path / "first")
    again = trained(with_dropout, tmp_path / "again")
    other = trained(msgspec.structs.replace(with_dropout, seed=4), tmp_path / "other")

    np.testing.assert_array_equal(weights(first), weights(again))
    assert not np.array_equal(weights(first), weights(other))


@pytest.mark.parametrize("optimizer", ["Adam", "AdamW", "NAdam", "RAdam", "SGD"])
def test_interrupted_training_ends_as_an_uninterrupted_one(
    with_dropout: Recipe, tmp_path: Path, optimizer: str
) -> None:
    training = msgspec.structs.replace(with_dropout.training, optimizer=optimizer)
    recipe = msgspec.structs.replace(with_dropout, training=training)
    whole = trained(recipe, tmp_path / "whole")

    with pytest.raises(KeyboardInterrupt):
        trained(recipe, tmp_path / "interrupted", _StopsAt(step=21))
    stage = _StopsAt()
    resumed = trained(recipe, tmp_path / "interrupted", stage)

    assert "(2 from the checkpoint)" in stage.outcome
    np.testing.assert_array_equal(weights(resumed), weights(whole))


def test_checkpoint_of_another_training_is_not_used(with_dropout: Recipe, tmp_path: Path) -> None:
    trained(msgspec.structs.replace(with_dropout, seed=99), tmp_path / "checkpoint")
    stage = _StopsAt()

    classifier = trained(with_dropout, tmp_path / "checkpoint", stage)

    assert "from the checkpoint" not in stage.outcome
    np.testing.assert_array_equal(weights(classifier), weights(trained(with_dropout, tmp_path / "new")))


def test_training_that_diverges_says_where(recipe: Recipe, tmp_path: Path) -> None:
    training = msgspec.structs.replace(
        recipe.training, learning_rate=1e6, optimizer="SGD", schedule="constant"
    )

    with pytest.raises(TrainingDiverged, match=r"at step \d+ of epoch \d; lower training.learning_rate"):
        trained(msgspec.structs.replace(recipe, training=training), tmp_path / "checkpoint")


def test_batch_larger_than_the_training_set_takes_it_whole(recipe: Recipe, tmp_path: Path) -> None:
    training = msgspec.structs.replace(recipe.training, batch_size=10_000, epochs=1)

    classifier = trained(msgspec.structs.replace(recipe, training=training), tmp_path / "checkpoint")

    assert np.isfinite(weights(classifier)).all()


def test_one_cycle_rises_to_its_peak_and_falls_to_nothing() -> None:
    training = Training(epochs=1, learning_rate=0.5, schedule="one-cycle")

    rates = [learning_rate(training, progress) for progress in (0, 0.15, 0.3, 0.65, 1)]

    np.testing.assert_allclose(rates, [0.02, 0.26, 0.5, 0.25, 0], atol=1e-12)


def test_cosine_falls_from_its_peak_to_nothing() -> None:
    training = Training(epochs=1, learning_rate=0.5, schedule="cosine")

    rates = [learning_rate(training, progress) for progress in (0, 0.5, 1)]

    np.testing.assert_allclose(rates, [0.5, 0.25, 0], atol=1e-12)


def test_constant_schedule_stays() -> None:
    training = Training(epochs=1, learning_rate=0.5, schedule="constant")

    assert learning_rate(training, 0.7) == 0.5
