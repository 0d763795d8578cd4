"""A learner and a problem so small that an epoch takes milliseconds."""

from collections.abc import Callable

import msgspec
import numpy as np
import pytest
import torch
from rich.console import Console
from rich.progress import Progress
from torch import nn

from lampyris_build.data.dataset import Samples
from lampyris_build.recipe.training import Training
from lampyris_build.stages import Stage


class Learner(nn.Module):
    """Noise on its inputs and dropout: two things that are random in every step."""

    def __init__(self) -> None:
        super().__init__()
        self.network = nn.Sequential(
            nn.Linear(6, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(0.2), nn.Linear(8, 3)
        )

    def forward(self, inputs: tuple[torch.Tensor, ...], targets: torch.Tensor | None) -> torch.Tensor:
        (x,) = inputs
        if self.training:
            x = x + 0.1 * torch.randn_like(x)
        assert targets is not None
        return nn.functional.cross_entropy(self.network(x), targets)


class QuietStage(Stage):
    """A stage in which somebody may press Ctrl-C after a given step."""

    def __init__(self, interrupted_after: int | None = None) -> None:
        progress = Progress(console=Console(quiet=True))
        super().__init__(progress, progress.add_task("training", detail=""))
        self.details: list[str] = []
        self._interrupted_after = interrupted_after

    def advance(self, detail: str) -> None:
        super().advance(detail)
        self.details.append(detail)
        if len(self.details) == self._interrupted_after:
            raise KeyboardInterrupt


def samples(count: int, seed: int) -> Samples:
    rng = np.random.default_rng(seed)
    features = rng.normal(size=(count, 6)).astype(np.float32)
    return Samples(inputs={"features": features}, targets=features[:, :3].argmax(axis=1))


@pytest.fixture
def train_set() -> Samples:
    return samples(70, 1)


@pytest.fixture
def validation_set() -> Samples:
    return samples(30, 2)


@pytest.fixture
def settings() -> Training:
    """4 epochs of 8 steps."""
    return Training(epochs=4, batch_size=8, learning_rate=1e-2)


@pytest.fixture
def new_learner() -> Callable[[], Learner]:
    def new() -> Learner:
        torch.manual_seed(0)
        return Learner()

    return new


def weights(learner: nn.Module) -> np.ndarray:
    return torch.cat([one.flatten().to(torch.float64) for one in learner.state_dict().values()]).numpy()


def changed(settings: Training, **changes: object) -> Training:
    return msgspec.structs.replace(settings, **changes)
