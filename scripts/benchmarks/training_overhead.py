"""What the training loop costs beyond the steps: against a bare loop of torch that trains the same learner.

Both have the recipe's optimizer, schedule, precision and validation. Ours also draws the random numbers of
each step anew, looks at every loss, computes deterministically, shows a bar, writes a log and keeps
checkpoints.
Epochs are short, so that what comes once in an epoch weighs more than in a real training.

They take turns of a few steps, in one process, with one thread for torch. What is compared is the processor's
time, in which other work on the machine hardly shows. A thread of its own draws the bar, so many times in a
second of the clock; its share is added as to a training that has a core to itself.

    .venv/bin/python scripts/benchmarks/training_overhead.py 10
"""

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter, process_time, thread_time
from typing import Final

import msgspec
import numpy as np
import torch
from rich.console import Console

import figures
from figures import Figure
from lampyris_build.data.dataset import Dataset, Feature, Samples
from lampyris_build.learner import Learner
from lampyris_build.making import new_learner
from lampyris_build.recipe import Recipe, load_recipe
from lampyris_build.recipe.training import Training
from lampyris_build.stages import Stage, Stages
from lampyris_build.tasks import task_for
from lampyris_build.training.checkpoint import Checkpoint
from lampyris_build.training.log import log_for
from lampyris_build.training.loop import train
from lampyris_build.training.optimizers import optimizer_for
from lampyris_build.training.schedules import schedule_for
from subjects import ROOT

_AIM: Final = 1.03
_TURN: Final = 4
# Steps of an epoch, for about a second each; the pictures are noise.
_STEPS: Final = {"mnist": 24, "cifar10-cnn": 12, "mnist-mlp": 200}
_SHAPES: Final = {"mnist": (28, 28, 1), "cifar10-cnn": (32, 32, 3), "mnist-mlp": (28, 28, 1)}
_VALIDATION_SHARE: Final = 20
_VALIDATION_BATCH: Final = 512


def measure(*, runs: int) -> list[Figure]:
    """Train the networks of some recipes for so many epochs with each loop."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        return [_compare(name, runs) for name in _STEPS]
    finally:
        torch.set_num_threads(threads)


def _compare(name: str, runs: int) -> Figure:
    recipe = load_recipe(ROOT / "recipes" / f"{name}.toml")
    assert recipe.training is not None
    settings = msgspec.structs.replace(recipe.training, epochs=runs + 1)
    steps = _STEPS[name]
    dataset = _noise(_SHAPES[name], steps * settings.batch_size)
    with (
        TemporaryDirectory() as folder,
        Path(os.devnull).open("w", encoding="utf-8") as nowhere,
        Stages(Console(file=nowhere, force_terminal=True)) as stages,
        stages.stage("training") as stage,
    ):
        turns = _Turns(stage, _bare(_learner(recipe, dataset), dataset, settings))
        train(
            _learner(recipe, dataset),
            dataset.train,
            dataset.validation,
            settings,
            seed=recipe.seed,
            stage=turns,
            checkpoint=Checkpoint(Path(folder) / "checkpoint", "digest"),
            log=log_for(settings, Path(folder)),
        )
        beside = turns.beside
    return figures.compare(
        f"an epoch of {steps} steps, CPU time",
        model=name,
        reference="a bare loop of torch",
        reference_s=_epochs(turns.bare_s, steps),
        ours_s=[one_s * (1 + beside) for one_s in _epochs(turns.ours_s, steps)],
        comparison="ratio",
        aim=_AIM,
    )


class _Turns(Stage):
    """The stage of a training that lets a bare loop take as many steps after every few."""

    def __init__(self, stage: Stage, bare: Iterator[None]) -> None:
        self._stage = stage
        self._bare = bare
        self._done = 0
        self.ours_s: list[float] = []
        self.bare_s: list[float] = []
        self._began_s = perf_counter()
        self._beside_began_s = process_time() - thread_time()
        self._since_s = thread_time()

    @property
    def beside(self) -> float:
        """What other threads took of the processor, in seconds for each second of the clock."""
        return (process_time() - thread_time() - self._beside_began_s) / (perf_counter() - self._began_s)

    def expect(self, steps: int, done: int = 0) -> None:
        self._stage.expect(steps, done)

    def advance(self, detail: str) -> None:
        self._stage.advance(detail)
        self._done += 1
        if self._done % _TURN:
            return
        ended_s = thread_time()
        self.ours_s.append(ended_s - self._since_s)
        torch.use_deterministic_algorithms(False)
        for _ in range(_TURN):
            next(self._bare)
        torch.use_deterministic_algorithms(True)
        self._since_s = thread_time()
        self.bare_s.append(self._since_s - ended_s)


def _epochs(turns_s: list[float], steps: int) -> list[float]:
    """Add the turns of each epoch up. The first epoch is left out: it loads what both need."""
    epochs_s: list[float] = np.reshape(turns_s, (-1, steps // _TURN)).sum(axis=1).tolist()
    return epochs_s[1:]


def _bare(learner: Learner, dataset: Dataset, settings: Training) -> Iterator[None]:
    """Yield after every step."""
    size = settings.batch_size
    (inputs, targets), (known_inputs, known) = _tensors(dataset.train), _tensors(dataset.validation)
    optimizer = optimizer_for(settings, learner.parameters())
    schedule = schedule_for(settings, optimizer, settings.epochs * len(targets) // size)
    while True:
        learner.train()
        order = torch.randperm(len(targets))
        for start in range(0, len(targets), size):
            batch = order[start : start + size]
            with torch.autocast("cpu", torch.bfloat16, enabled=settings.precision == "bf16"):
                loss = learner((inputs.index_select(0, batch),), targets[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            yield
        learner.eval()
        with torch.inference_mode():
            for start in range(0, len(known), _VALIDATION_BATCH):
                part = slice(start, start + _VALIDATION_BATCH)
                learner((known_inputs[part],), known[part]).item()


def _tensors(samples: Samples) -> tuple[torch.Tensor, torch.Tensor]:
    return torch.from_numpy(samples.inputs["image"]), torch.from_numpy(samples.targets)


def _learner(recipe: Recipe, dataset: Dataset) -> Learner:
    return new_learner(recipe.model, recipe, dataset, task_for(recipe, dataset))


def _noise(shape: tuple[int, ...], count: int) -> Dataset:
    rng = np.random.default_rng(0)
    train, validation = (
        Samples(
            inputs={"image": rng.integers(0, 256, (rows, *shape), dtype=np.uint8)},
            targets=rng.integers(0, 10, rows),
        )
        for rows in (count, count // _VALIDATION_SHARE)
    )
    return Dataset(
        name="noise",
        digest="",
        features=(Feature(name="image", kind="image", shape=shape),),
        classes=tuple("0123456789"),
        train=train,
        validation=validation,
        test=validation,
    )


if __name__ == "__main__":
    found = measure(runs=int(sys.argv[1]) if len(sys.argv) > 1 else 10)
    Console().print(figures.as_table("Training, against a bare loop", found))
