"""Measure what Lampyris adds to onnxruntime: cold starts and warm requests, each against its floor.

Every figure's reference is measured in the same run, in turn with it (A B A B …), so that a machine whose
speed drifts changes both; the ratio is the median of the pairs' ratios.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from statistics import median, quantiles
from time import perf_counter

import msgspec
from obstore.store import LocalStore
from rich.console import Console
from rich.table import Table
from subjects import BUCKET, Subject, environment, make_subjects, store_process

from lampyris.adapters.object_store import ObjectStore

HERE = Path(__file__).parent
COLD_AIM, WARM_AIM = 1.25, 1.5


class Figure(msgspec.Struct, frozen=True, kw_only=True):
    """One comparison; durations in milliseconds."""

    what: str
    model: str
    runs: int
    floor_p50_ms: float
    floor_p99_ms: float
    p50_ms: float
    p99_ms: float
    ratio: float
    aim: float


def main() -> None:
    """Run the benchmarks that the command line asks for."""
    parser = argparse.ArgumentParser(prog="scripts/bench", description=__doc__.partition("\n")[0])
    parser.add_argument("--runs", type=int, default=20, help="cold starts of each kind (20)")
    parser.add_argument("--warm-runs", type=int, default=300, help="warm requests of each kind (300)")
    parser.add_argument("--cores", type=int, help="pin everything measured to so many cores")
    parser.add_argument("--json", action="store_true", help="print one JSON document instead of a table")
    asked = parser.parse_args()
    console = Console(stderr=True)
    cores = sorted(os.sched_getaffinity(0))
    with tempfile.TemporaryDirectory(prefix="lampyris-bench-") as folder, ExitStack() as stack:
        buckets = Path(folder, "buckets")
        store = ObjectStore(LocalStore(buckets / BUCKET, mkdir=True))
        subjects = make_subjects(store, Path(folder), console)
        endpoint = stack.enter_context(store_process(buckets))
        if asked.cores:
            cores = cores[: asked.cores]
            os.sched_setaffinity(0, cores)
        figures = []
        for subject in subjects:
            with console.status(f"Cold starts of {subject.name}"):
                figures += cold_figures(subject, endpoint, asked.runs)
            with console.status(f"Warm requests to {subject.name}"):
                figures.append(warm_figure(subject, endpoint, asked.warm_runs))
    if asked.json:
        print(json.dumps({"cores": len(cores), "figures": msgspec.to_builtins(figures)}, indent=2))
    else:
        Console().print(as_table(figures, len(cores)))


def cold_figures(subject: Subject, endpoint: str, runs: int) -> list[Figure]:
    """Time process start to first prediction, the model known at INIT and not."""
    known: tuple[list[float], list[float]] = ([], [])
    unknown: tuple[list[float], list[float]] = ([], [])
    with tempfile.TemporaryDirectory(prefix="lampyris-floor-") as folder:
        floor = [str(HERE / "child_floor.py")]
        lampyris = [str(HERE / "child_lampyris.py")]
        for run in range(runs + 1):
            pairs = (
                (known, floor, lampyris, True),
                (unknown, [*floor, folder], lampyris, False),
            )
            for (floors, ours), floor_command, command, preload in pairs:
                variables = environment(subject, endpoint, preload=preload)
                floor_s, ours_s = (
                    first_prediction_s(floor_command, variables),
                    first_prediction_s(command, variables),
                )
                if run > 0:  # the first pair warms the disk's cache
                    floors.append(floor_s)
                    ours.append(ours_s)
    return [
        figure("cold, model known at INIT", subject, *known, aim=COLD_AIM),
        figure("cold, model known from the request", subject, *unknown, aim=COLD_AIM),
    ]


def first_prediction_s(command: list[str], variables: dict[str, str]) -> float:
    """Start a process and wait for its first prediction, not for its end."""
    ready, told = os.pipe()
    started = perf_counter()
    process = subprocess.Popen(
        [sys.executable, *command],
        env={**variables, "BENCH_READY": str(told)},
        pass_fds=[told],
        stdout=subprocess.DEVNULL,
    )
    os.close(told)
    predicted = os.read(ready, 1)
    duration_s = perf_counter() - started
    os.close(ready)
    if process.wait() or not predicted:
        sys.exit(f"{command[0]} failed.")
    return duration_s


def warm_figure(subject: Subject, endpoint: str, runs: int) -> Figure:
    """Time the handler on a model that is loaded."""
    done = subprocess.run(
        [sys.executable, str(HERE / "child_warm.py"), str(runs)],
        env=environment(subject, endpoint, preload=True),
        stdout=subprocess.PIPE,
        check=True,
    )
    durations = json.loads(done.stdout)
    return figure("warm handler, JSON tensor", subject, durations["bare"], durations["handler"], aim=WARM_AIM)


def figure(what: str, subject: Subject, floors_s: list[float], ours_s: list[float], *, aim: float) -> Figure:
    return Figure(
        what=what,
        model=f"{subject.name} ({subject.size_bytes / 1e6:.1f} MB)",
        runs=len(ours_s),
        floor_p50_ms=median(floors_s) * 1000,
        floor_p99_ms=p99(floors_s) * 1000,
        p50_ms=median(ours_s) * 1000,
        p99_ms=p99(ours_s) * 1000,
        ratio=median(ours / floor for ours, floor in zip(ours_s, floors_s, strict=True)),
        aim=aim,
    )


def p99(values: list[float]) -> float:
    return quantiles(values, n=100, method="inclusive")[98]


def as_table(figures: list[Figure], cores: int) -> Table:
    """Lay the figures out for a person."""
    table = Table(title=f"Against the floor, {cores} core{'s' if cores > 1 else ''}, milliseconds")
    for heading in ("model", "what"):
        table.add_column(heading)
    for heading in ("floor p50", "p99", "Lampyris p50", "p99", "ratio", "aim"):
        table.add_column(heading, justify="right")
    for one in figures:
        durations = (one.floor_p50_ms, one.floor_p99_ms, one.p50_ms, one.p99_ms)
        met = "green" if one.ratio <= one.aim else "red"
        table.add_row(
            one.model,
            one.what,
            *(f"{duration:.2f}" if duration < 10 else f"{duration:.0f}" for duration in durations),  # noqa: PLR2004 - digits
            f"[{met}]{one.ratio:.2f}[/]",
            f"{one.aim:.2f}",
        )
    return table


if __name__ == "__main__":
    main()
