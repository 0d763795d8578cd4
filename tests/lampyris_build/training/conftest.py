"""A learner and a problem so small that an epoch takes milliseconds."""

import resource
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import Progress
from torch import nn

from lampyris_build.data.dataset import Samples
from lampyris_build.recipe.training import Training
from lampyris_build.stages import Stage


class _Learner(nn.Module):
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


class _QuietStage(Stage):
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


def _samples(count: int, seed: int) -> Samples:
    rng = np.random.default_rng(seed)
    features = rng.normal(size=(count, 6)).astype(np.float32)
    return Samples(inputs={"features": features}, targets=features[:, :3].argmax(axis=1))


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)  # so small a network gains nothing from a second


@pytest.fixture
def train_set() -> Samples:
    return _samples(70, 1)


@pytest.fixture
def validation_set() -> Samples:
    return _samples(30, 2)


@pytest.fixture
def settings() -> Training:
    """4 epochs of 8 steps."""
    return Training(epochs=4, batch_size=8, learning_rate=1e-2)


@pytest.fixture
def new_learner() -> Callable[[], nn.Module]:
    def new() -> nn.Module:
        torch.manual_seed(0)
        return _Learner()

    return new


@pytest.fixture
def new_stage() -> type[Stage]:
    return _QuietStage


@pytest.fixture
def weights() -> Callable[[nn.Module], NDArray[Any]]:
    def flat(learner: nn.Module) -> NDArray[Any]:
        return torch.cat([one.flatten().to(torch.float64) for one in learner.state_dict().values()]).numpy()

    return flat


@pytest.fixture
def small_files() -> Iterator[None]:
    """Let no file grow beyond 64 KB, as a full disk would."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (64 * 1024, hard))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
