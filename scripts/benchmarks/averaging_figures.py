"""When a training by several functions pays: its accuracy, what it exchanges, and its time and price.

Accuracy and bytes are measured: members as threads, on a bucket in memory, with the product's own code. Time
and price are simulated, from the steps as this machine takes them with one thread, and what is stated here of
S3, of functions and of machines. A member of N takes batches N times smaller.

    .venv/bin/python scripts/benchmarks/averaging_figures.py --data data/mnist
"""

import argparse
import math
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np
import torch
from rich.box import SIMPLE_HEAD
from rich.console import Console, Group
from rich.progress import Progress
from rich.table import Table

from lampyris.adapters.memory_store import MemoryStore
from lampyris.domain.store import Stored
from lampyris.jobs.prices import GB_SECOND_USD, MB_PER_GB
from lampyris_build.data import load_dataset
from lampyris_build.data.dataset import Dataset, Feature, Samples
from lampyris_build.learner import Learner
from lampyris_build.making import new_learner
from lampyris_build.preprocessing.encoding import Encoding
from lampyris_build.recipe import Recipe, load_recipe
from lampyris_build.stages import Stage
from lampyris_build.tasks import task_for
from lampyris_build.training.averaging import Averaging
from lampyris_build.training.loop import train
from lampyris_build.training.optimizers import optimizer_for
from lampyris_build.training.packed import average, pack
from lampyris_build.training.reduction import in_parts
from lampyris_build.training.rounds import Rounds
from subjects import ROOT

_RECIPE: Final = "mnist-mlp"
_EPOCHS: Final = 2
_EPOCH: Final = 0  # as `every` says: a round at the end of each
# Members, and after how many steps they average.
_TRIED: Final = (
    (2, 8),
    (2, 64),
    (2, _EPOCH),
    (4, 8),
    (4, 64),
    (4, _EPOCH),
    (8, 8),
    (8, 64),
    (8, _EPOCH),
    (2, 1),
)
_AIM_POINTS: Final = 0.3

# What is simulated: networks of recipes by the shape of their pictures, and how many of them an epoch has.
_SUBJECTS: Final = {
    "mnist-mlp": ((28, 28, 1), 57_000),
    "mnist": ((28, 28, 1), 57_000),
    "cifar10-resnet": ((32, 32, 3), 47_500),
}
_MEMBERS: Final = (2, 4, 8)
_EVERY: Final = (1, 8, 64, _EPOCH)
_SIMULATED_EPOCHS: Final = 10
_REPEATS: Final = 4
_STEPS_S: Final = 1.0


class Cloud(msgspec.Struct, frozen=True, kw_only=True):
    """What the simulation takes for granted.

    `latency_s` and `bytes_per_s` are a function's towards S3. Source: Jiang et al. 2021 (LambdaML), table 6,
    which has 80 ms and 65 MB/s for 2020's S3, 1.2 s until ten functions run and 132 s until ten machines do.
    First bytes come in 15 ms or so within a region nowadays; the tables show both.
    A function has one virtual CPU at 1,769 MB. A machine is a c7i, of which a virtual CPU costs so much an
    hour, on demand in us-east-1. Of S3's requests, those that write and those that read have prices.
    """

    latency_s: float = 0.015
    bytes_per_s: float = 70e6
    function_start_s: float = 12.0
    machine_start_s: float = 132.0
    function_mb: int = 1769
    machine_cpu_usd_per_h: float = 0.0446
    machine_bytes_per_s: float = 5e9
    put_usd: float = 5e-6
    get_usd: float = 4e-7

    @property
    def function_usd_per_s(self) -> float:
        return self.function_mb / MB_PER_GB * GB_SECOND_USD["x86_64"]


class Accuracy(msgspec.Struct, frozen=True, kw_only=True):
    """What members came to on the test set, and what each read and wrote on average in a round."""

    members: int
    every: int
    accuracy: float
    rounds: int = 0
    read_bytes: float = 0.0
    written_bytes: float = 0.0


class Measured(msgspec.Struct, frozen=True, kw_only=True):
    """A network: its state's bytes, steps of an epoch, and seconds of a step and of averaging, by members."""

    name: str
    state_bytes: int
    steps: int
    step_s: dict[int, float]
    average_s: dict[int, float]


class Simulated(msgspec.Struct, frozen=True, kw_only=True):
    """What a training of `_SIMULATED_EPOCHS` takes and costs by one way."""

    name: str
    way: str
    seconds: float
    usd: float
    exchange_share: float = 0.0


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """`left_out` says what was not measured, and why."""

    accuracies: tuple[Accuracy, ...]
    simulated: tuple[Simulated, ...]
    measured: tuple[Measured, ...]
    cloud: Cloud
    left_out: tuple[str, ...] = ()


def measure(console: Console, *, data: str | None, cloud: Cloud | None = None) -> Report:
    """Measure and simulate; without `data`, the folder of MNIST, no accuracy is measured."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    cloud = cloud or Cloud()
    try:
        accuracies = () if data is None else _accuracies(console, data)
        measured = tuple(_steps(console, name) for name in _SUBJECTS)
    finally:
        torch.set_num_threads(threads)
    left_out = () if data is not None else (f"The accuracy of {_RECIPE} is left out: name MNIST's folder.",)
    return Report(
        accuracies=accuracies,
        measured=measured,
        simulated=tuple(row for one in measured for row in simulate(one, cloud)),
        cloud=cloud,
        left_out=left_out,
    )


def simulate(network: Measured, cloud: Cloud) -> list[Simulated]:
    """Tell what a training takes by one function, by members, and by as many CPUs of one machine."""
    steps = network.steps * _SIMULATED_EPOCHS
    rows = []
    one_s = cloud.function_start_s + steps * network.step_s[1]
    rows.append(
        Simulated(name=network.name, way="1 function", seconds=one_s, usd=one_s * cloud.function_usd_per_s)
    )
    for members in _MEMBERS:
        for every in _EVERY:
            rounds = _SIMULATED_EPOCHS * math.ceil(network.steps / (every or network.steps))
            round_s, requests_usd = _round(network, members, cloud)
            computing_s = steps * network.step_s[members]
            seconds = cloud.function_start_s + computing_s + rounds * round_s
            usd = members * (seconds * cloud.function_usd_per_s + rounds * requests_usd)
            rows.append(
                Simulated(
                    name=network.name,
                    way=f"{members} functions, every {f'{every}' if every else 'epoch'}",
                    seconds=seconds,
                    usd=usd,
                    exchange_share=rounds * round_s / seconds,
                )
            )
    for workers in (1, *_MEMBERS):
        # Gradients are a third of AdamW's state and half of SGD's: a third is said, which favours machines.
        exchanged = 2 * network.state_bytes / 3 * (workers - 1) / workers
        step_s = network.step_s[workers] + exchanged / cloud.machine_bytes_per_s
        seconds = cloud.machine_start_s + steps * step_s
        usd = seconds / 3600 * workers * cloud.machine_cpu_usd_per_h
        way = f"machine, {workers} CPUs (DDP)" if workers > 1 else "machine, 1 CPU"
        rows.append(Simulated(name=network.name, way=way, seconds=seconds, usd=usd))
    return rows


def _round(network: Measured, members: int, cloud: Cloud) -> tuple[float, float]:
    """Return the seconds of a round, and what a member's requests cost. All come to it at the same time."""
    size, others = network.state_bytes, members - 1
    transfer = size / cloud.bytes_per_s
    if in_parts(size, members):
        seconds = 5 * cloud.latency_s + transfer * (1 + others / members + 1 / members + others / members)
        puts, gets = 2, 4 * others
    else:
        seconds = 2 * cloud.latency_s + transfer * (1 + others)
        puts, gets = 1, 2 * others
    polls = 2 * others  # whoever is there first asks again
    waiting_s = 0.03  # half a pause
    seconds += network.average_s[members] + waiting_s + cloud.latency_s  # the last for what is deleted
    return seconds, puts * cloud.put_usd + (gets + polls) * cloud.get_usd


def _accuracies(console: Console, data: str) -> tuple[Accuracy, ...]:
    recipe = load_recipe(ROOT / "recipes" / f"{_RECIPE}.toml", data=str(Path(data).resolve()))
    assert recipe.training is not None
    recipe = msgspec.structs.replace(
        recipe, training=msgspec.structs.replace(recipe.training, epochs=_EPOCHS)
    )
    dataset = load_dataset(recipe)
    encoding = Encoding.fit(dataset.features, dataset.train, length=1, vocabulary=1)
    train_set, validation_set, test_set = (
        replace(one, inputs=encoding.apply(one.inputs))
        for one in (dataset.train, dataset.validation, dataset.test)
    )
    dataset = replace(dataset, train=train_set, validation=validation_set, test=test_set)
    rows = []
    for members, every in ((1, _EPOCH), *_TRIED):
        started_s = time.perf_counter()
        rows.append(_accuracy(recipe, dataset, members, every))
        console.print(f"{rows[-1]} {time.perf_counter() - started_s:.0f} s", highlight=False)
    return tuple(rows)


def _accuracy(recipe: Recipe, dataset: Dataset, members: int, every: int) -> Accuracy:
    settings = recipe.training
    assert settings is not None
    new = _learner(recipe, dataset)
    store = _Counting()

    def member(rank: int) -> Learner:
        learner = deepcopy(new)
        team = None
        if members > 1:
            rounds = Rounds(store, "rounds/", rank=rank, size=members, patience_s=600, pause=_pause)
            team = Averaging(rounds, settings, every=every)
        train(
            learner,
            dataset.train,
            dataset.validation,
            settings,
            seed=recipe.seed,
            stage=_Quiet(),
            team=team,
        )
        return learner

    with ThreadPoolExecutor(members) as threads:
        learner, *_ = threads.map(member, range(members))
    steps = len(dataset.train) // settings.batch_size
    rounds = 0 if members == 1 else _EPOCHS * math.ceil(steps / (every or steps))
    shares = max(1, members * rounds)
    return Accuracy(
        members=members,
        every=every,
        accuracy=_score(learner, dataset.test),
        rounds=rounds,
        read_bytes=store.read_bytes / shares,
        written_bytes=store.written_bytes / shares,
    )


def _score(learner: Learner, samples: Samples) -> float:
    right = 0
    with torch.inference_mode():
        for start in range(0, len(samples), 512):
            rows = slice(start, start + 512)
            inputs = [torch.from_numpy(values[rows]) for values in samples.inputs.values()]
            logits = learner.network(learner.preprocessing(*inputs))
            assert samples.targets is not None
            right += int((logits.argmax(1).numpy() == samples.targets[rows]).sum())
    return right / len(samples)


def _steps(console: Console, name: str) -> Measured:
    """Take a few steps with noise in batches of every size."""
    shape, count = _SUBJECTS[name]
    recipe = load_recipe(ROOT / "recipes" / f"{name}.toml")
    settings = recipe.training
    assert settings is not None
    dataset = _noise(shape, settings.batch_size)
    learner = _learner(recipe, dataset)
    optimizer = optimizer_for(settings, learner.parameters())
    step_s = {
        members: _step_s(
            learner, optimizer, dataset.train, settings.batch_size // members, settings.precision
        )
        for members in (1, *_MEMBERS)
    }
    state = {
        "learner": learner.state_dict(),
        "optimizer": optimizer.state_dict(),
        "loss_sum": 0.0,
        "seconds": 0.0,
    }
    average_s = {}
    for members in _MEMBERS:
        taken_s: list[float] = []
        for _ in range(_REPEATS):
            started_s = time.thread_time()
            packed = pack(state)
            size = len(packed.to_bytes())
            parts = members if in_parts(size, members) else 1
            part = packed.narrow[: len(packed.narrow) // parts]
            average([part] * members, [1] * members)
            taken_s.append(time.thread_time() - started_s)
        average_s[members] = min(taken_s)
    measured = Measured(
        name=name,
        state_bytes=size,
        steps=count // settings.batch_size,
        step_s=step_s,
        average_s=average_s,
    )
    console.print(str(measured), highlight=False)
    return measured


def _step_s(
    learner: Learner, optimizer: torch.optim.Optimizer, samples: Samples, size: int, precision: str
) -> float:
    assert samples.targets is not None
    inputs = tuple(torch.from_numpy(values[:size]) for values in samples.inputs.values())
    targets = torch.from_numpy(samples.targets[:size])
    taken_s: list[float] = []
    learner.train()
    while len(taken_s) < _REPEATS or sum(taken_s) < _STEPS_S:
        started_s = time.thread_time()
        with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16"):
            loss = learner(inputs, targets)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        taken_s.append(time.thread_time() - started_s)
    return min(taken_s)  # whatever else the machine does takes longer


def as_table(report: Report) -> Group:
    """Lay a report out for a person."""
    parts: list[Any] = []
    if report.accuracies:
        parts.append(_accuracy_table(report.accuracies))
    parts += [
        _time_table(network, [one for one in report.simulated if one.name == network.name])
        for network in report.measured
    ]
    return Group(*parts, *report.left_out)


def _accuracy_table(rows: Sequence[Accuracy]) -> Table:
    table = Table(
        title=f"{_RECIPE}, {_EPOCHS} epochs: members that average", title_justify="left", box=SIMPLE_HEAD
    )
    for heading in ("members", "every", "rounds", "MB read", "MB written", "accuracy", "points"):
        table.add_column(heading, justify="right")
    one = rows[0].accuracy
    for row in rows:
        points = 100 * (row.accuracy - one)
        colour = "green" if points >= -_AIM_POINTS else "red"
        table.add_row(
            str(row.members),
            str(row.every or "epoch") if row.members > 1 else "",
            str(row.rounds or ""),
            f"{row.read_bytes / 1e6:.2f}" if row.members > 1 else "",
            f"{row.written_bytes / 1e6:.2f}" if row.members > 1 else "",
            f"{row.accuracy:.2%}",
            f"[{colour}]{points:+.2f}[/]" if row.members > 1 else "",
        )
    return table


def _time_table(network: Measured, rows: Sequence[Simulated]) -> Table:
    title = (
        f"{network.name}, {_SIMULATED_EPOCHS} epochs of {network.steps} steps of "
        f"{network.step_s[1] * 1000:.1f} ms, a state of {network.state_bytes / 1e6:.1f} MB (simulated)"
    )
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD)
    for heading in ("way", "seconds", "of which exchange", "times as fast", "cents", "times as dear"):
        table.add_column(heading, justify="left" if heading == "way" else "right")
    first = rows[0]
    for row in rows:
        table.add_row(
            row.way,
            f"{row.seconds:,.0f}",
            f"{row.exchange_share:.0%}" if row.exchange_share else "",
            f"{first.seconds / row.seconds:.2f}",
            f"{100 * row.usd:.2f}",
            f"{row.usd / first.usd:.2f}",
        )
    return table


class _Counting(MemoryStore):
    """A bucket that counts what goes to and fro."""

    def __init__(self) -> None:
        super().__init__()
        self.read_bytes = 0
        self.written_bytes = 0

    def get(self, key: str) -> Stored:
        found = super().get(key)
        self.read_bytes += len(found.data)
        return found

    def get_range(self, key: str, start: int, length: int, etag: str | None = None) -> memoryview:
        data = super().get_range(key, start, length, etag)
        self.read_bytes += len(data)
        return data

    def create(self, key: str, data: bytes, headers: Mapping[str, str] | None = None) -> None:
        super().create(key, data, headers)
        self.written_bytes += len(data)


def _pause(_: float) -> None:
    time.sleep(0.002)  # the bucket is in memory


class _Quiet(Stage):
    def __init__(self) -> None:
        progress = Progress(console=Console(quiet=True))
        super().__init__(progress, progress.add_task("training", detail=""))


def _learner(recipe: Recipe, dataset: Dataset) -> Learner:
    torch.manual_seed(recipe.seed)
    return new_learner(recipe.model, recipe, dataset, task_for(recipe, dataset))


def _noise(shape: tuple[int, ...], count: int) -> Dataset:
    rng = np.random.default_rng(0)
    samples = Samples(
        inputs={"image": rng.integers(0, 256, (count, *shape), dtype=np.uint8)},
        targets=rng.integers(0, 10, count),
    )
    return Dataset(
        name="noise",
        digest="",
        features=(Feature(name="image", kind="image", shape=shape),),
        classes=tuple("0123456789"),
        train=samples,
        validation=samples,
        test=samples,
    )


def main() -> None:
    """Measure alone."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", metavar="FOLDER", help="MNIST's four files; without them no accuracy")
    parser.add_argument("--latency-ms", type=float, default=15.0, help="S3's, until the first byte (15)")
    parser.add_argument("--mb-per-s", type=float, default=70.0, help="of S3, for each function (70)")
    parser.add_argument("--json", action="store_true", help="print one JSON document instead of tables")
    options = parser.parse_args()
    cloud = Cloud(latency_s=options.latency_ms / 1000, bytes_per_s=options.mb_per_s * 1e6)
    console = Console(stderr=True)
    report = measure(console, data=options.data, cloud=cloud)
    if options.json:
        print(msgspec.json.encode(report).decode())
    else:
        Console(width=120).print(as_table(report))


if __name__ == "__main__":
    main()
