"""What the training loop costs beyond the steps: against a bare loop of torch, on the same network and data.

The bare loop does what every loop must: batches in a new order, forward, backward, step. Ours also draws the
random numbers of each step anew, looks at every loss, moves the learning rate, shows a bar, validates, writes
a log and keeps checkpoints.
"""

import os
import sys
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter

import numpy as np
import torch
from rich.console import Console
from torch import nn

import figures
from figures import Figure
from lampyris_build.data.dataset import Samples
from lampyris_build.recipe.training import Training
from lampyris_build.stages import Stages
from lampyris_build.training.checkpoint import Checkpoint
from lampyris_build.training.log import log_for
from lampyris_build.training.loop import train

_AIM = 1.03
_SAMPLES = 25_600
_SETTINGS = Training(epochs=2, batch_size=64, schedule="constant")


class _Perceptron(nn.Module):
    """Three layers for vectors of 784 numbers: a step takes little time, so that all else weighs most."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(784, 256), nn.ReLU(), nn.Linear(256, 128), nn.ReLU(), nn.Linear(128, 10)
        )

    def forward(self, inputs: tuple[torch.Tensor, ...], targets: torch.Tensor) -> torch.Tensor:
        return nn.functional.cross_entropy(self.layers(inputs[0]), targets)


class _Convolutions(nn.Module):
    """Two convolutions for pictures of 28 x 28."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(1, 32, 3, stride=2, padding=1), nn.ReLU(), nn.Conv2d(32, 64, 3, stride=2, padding=1),
            nn.ReLU(), nn.Flatten(), nn.Linear(64 * 49, 10),
        )  # fmt: skip

    def forward(self, inputs: tuple[torch.Tensor, ...], targets: torch.Tensor) -> torch.Tensor:
        return nn.functional.cross_entropy(self.layers(inputs[0].view(-1, 1, 28, 28)), targets)


def measure(*, runs: int) -> list[Figure]:
    """Train both networks with both loops, in turn."""
    return [
        _compare("perceptron 784-256-128-10", _Perceptron, runs),
        _compare("two convolutions, 28 x 28", _Convolutions, runs),
    ]


def _compare(model: str, network: Callable[[], nn.Module], runs: int) -> Figure:
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(_SAMPLES, 784)).astype(np.float32)
    samples = Samples(inputs={"features": vectors}, targets=rng.integers(0, 10, _SAMPLES))
    bare_s, ours_s = [], []
    for run in range(runs + 1):
        bare, ours = _bare_s(network(), samples), _ours_s(network(), samples)
        if run > 0:  # the first loads what both need
            bare_s.append(bare)
            ours_s.append(ours)
    return figures.compare(
        f"{_SETTINGS.epochs} epochs of {_SAMPLES // _SETTINGS.batch_size} steps",
        model=model,
        reference="a bare loop of torch",
        reference_s=bare_s,
        ours_s=ours_s,
        comparison="ratio",
        aim=_AIM,
    )


def _bare_s(network: nn.Module, samples: Samples) -> float:
    size = _SETTINGS.batch_size
    inputs, targets = torch.from_numpy(samples.inputs["features"]), torch.from_numpy(samples.targets)
    started_s = perf_counter()
    optimizer = torch.optim.AdamW(network.parameters(), lr=_SETTINGS.learning_rate, fused=True)
    network.train()
    for _ in range(_SETTINGS.epochs):
        order = torch.randperm(_SAMPLES)
        for start in range(0, _SAMPLES, size):
            batch = order[start : start + size]
            loss = network((inputs[batch],), targets[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    return perf_counter() - started_s


def _ours_s(network: nn.Module, samples: Samples) -> float:
    validation = samples.take(slice(_SETTINGS.batch_size))
    with (
        TemporaryDirectory() as folder,
        Path(os.devnull).open("w", encoding="utf-8") as nowhere,
        Stages(Console(file=nowhere, force_terminal=True)) as stages,
        stages.stage("training") as stage,
    ):
        checkpoint = Checkpoint(Path(folder) / "checkpoint", "digest")
        log = log_for(_SETTINGS, Path(folder))
        started_s = perf_counter()
        train(network, samples, validation, _SETTINGS, seed=0, stage=stage, checkpoint=checkpoint, log=log)
        return perf_counter() - started_s


if __name__ == "__main__":
    found = measure(runs=int(sys.argv[1]) if len(sys.argv) > 1 else 20)
    Console().print(figures.as_table("Training, against a bare loop", found))
