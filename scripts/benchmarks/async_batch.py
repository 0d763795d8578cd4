"""Batch inference against a bare loop of onnxruntime at its best batch size, on one thread.

The bare loop has its rows in memory, as the model takes them, and forgets the answers. Ours reads a shard
from a store (a folder), decodes, checks and predicts it, and writes, puts and digests its answers. Both take
turns in one process. What is compared is the processor's time of all threads, which other work on the machine
hardly changes: rows per second of a core.

    .venv/bin/python scripts/benchmarks/async_batch.py 5 200000 48    turns, rows of the table, pictures
"""

import io
import sys
from collections.abc import Callable
from math import inf
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter, process_time
from typing import Final

import msgspec
import numpy as np
from PIL import Image
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from lampyris.adapters.folder_store import FolderStore
from lampyris.batch.batch_size import Speeds
from lampyris.batch.formats import objects_of, split
from lampyris.batch.plan import AnswerFormat, Format, Plan, Shard
from lampyris.batch.predicting import Predicting
from lampyris.batch.room import shards_of
from lampyris.bootstrap import Serving, read_settings, wire_loading, wire_serving
from lampyris.domain.manifest import Manifest
from lampyris.domain.store import Entry, Store
from lampyris.domain.tensors import Array
from subjects import Subjects

_AIM: Final = 0.95
_ONE_THREAD_MB: Final = 1769
_MLP: Final = (128, 512, 512, 10)
_SIDE: Final = 224
_SHARD_ROWS: Final = 50_000


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """One comparison: the medians of rows per second of a core, and of the ratios of the turns."""

    model: str
    rows: int
    input: Format
    answers: AnswerFormat
    batch_size: int
    bare_rows_per_s: float
    rows_per_s: float
    ratio: float

    @property
    def met(self) -> bool:
        return self.ratio >= _AIM


def measure(console: Console, *, runs: int = 5, rows: int = 200_000, pictures: int = 48) -> list[Line]:
    """Measure with so many turns each; without pictures, only a table."""
    with TemporaryDirectory() as folder:
        bench = _Bench(Path(folder), console, runs)
        return [*bench.tables(rows), *(bench.pictures(pictures) if pictures else [])]


def as_table(lines: list[Line]) -> Table:
    table = Table(
        title="Batch inference, against a bare loop of onnxruntime",
        caption=f"rows per second of one core; medians of turns. Aim: {_AIM:.0%} of the bare loop",
        title_justify="left",
        caption_justify="left",
        box=SIMPLE_HEAD,
    )
    for heading in ("model", "input", "answers"):
        table.add_column(heading)
    for heading in ("rows", "batch size", "bare loop", "Lampyris", "share"):
        table.add_column(heading, justify="right")
    for line in lines:
        colour = "green" if line.met else "red"
        table.add_row(
            line.model,
            line.input,
            line.answers,
            f"{line.rows:,}",
            f"{line.batch_size:,}",
            f"{line.bare_rows_per_s:,.0f}",
            f"{line.rows_per_s:,.0f}",
            f"[{colour}]{line.ratio:.1%}[/]",
        )
    return table


class _Bench:
    def __init__(self, folder: Path, console: Console, runs: int) -> None:
        self._console = console
        self._runs = runs
        self._store: Store = FolderStore(folder / "bucket")
        settings = read_settings(
            {
                "LAMPYRIS_BUCKET": "unused",
                "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(_ONE_THREAD_MB),
                "TMPDIR": str(folder / "scratch"),
            }
        )
        (folder / "models").mkdir()
        self._subjects = Subjects(self._store, folder / "models", console)
        self._serving: Serving = wire_serving(wire_loading(settings, self._store, clock=perf_counter))

    def tables(self, rows: int) -> list[Line]:
        """Measure a fully connected network on numbers."""
        mlp = self._subjects.perceptron("mlp", _MLP).manifest
        values = np.random.default_rng(0).normal(size=(rows, _MLP[0])).astype(np.float32).round(4)
        file = io.BytesIO()
        np.save(file, values)
        self._store.put("data/rows.npy", file.getvalue())
        few = values[: rows // 4]
        text = "\n".join(",".join(f"{value:.4f}" for value in row) for row in few.tolist())
        self._store.put("data/rows.csv", text.encode())
        return [
            self._line(mlp, values, "data/rows.npy", "npy", "npy"),
            self._line(mlp, values, "data/rows.npy", "npy", "ndjson"),
            self._line(mlp, few, "data/rows.csv", "csv", "npy"),
            self._line(mlp, few, "data/rows.csv", "csv", "csv"),
        ]

    def pictures(self, count: int) -> list[Line]:
        """Measure a ResNet-50 on JPEGs of noise, which are the slowest to decode."""
        resnet = self._subjects.resnet50_int8().manifest
        pixels = np.random.default_rng(1).integers(0, 256, (count, _SIDE, _SIDE, 3), np.uint8)
        for number, picture in enumerate(pixels):
            self._store.put(f"data/pictures/{number:04}.jpg", _jpeg(picture))
        return [self._line(resnet, pixels, "data/pictures/", "images", "ndjson")]

    def _line(
        self, manifest: Manifest, values: Array, place: str, form: Format, answers: AnswerFormat
    ) -> Line:
        self._console.print(f"batch: {manifest.model}, {form} to {answers}")
        (spec,) = manifest.signature.inputs
        inference = self._serving.inference
        speed = Speeds(process_time).fastest(
            manifest, {spec.name: values[:64]}, lambda inputs: inference.run(manifest, inputs, deadline_s=inf)
        )
        plan = Plan(
            prefix="jobs/bench/1/",
            model=manifest.model,
            version=manifest.version,
            input=place,
            format=form,
            answers=answers,
            batch_size=speed.batch_size,
        )
        shards = self._shards(plan, manifest)
        predicting = Predicting(store=self._store, inference=inference, clock=perf_counter)
        session = inference.load(manifest, deadline_s=inf)[0].session
        names = [one.name for one in manifest.signature.outputs]

        def bare() -> None:
            for start in range(0, len(values), speed.batch_size):
                session.run(names, {spec.name: values[start : start + speed.batch_size]})

        def ours() -> None:
            for number, shard in enumerate(shards):
                outcome = predicting.predict(plan, number, shard, manifest, inf)
                assert not outcome.failed_rows  # they are all good

        bare_s, ours_s = self._turns(bare, ours)
        return Line(
            model=manifest.model,
            rows=len(values),
            input=form,
            answers=answers,
            batch_size=speed.batch_size,
            bare_rows_per_s=len(values) / float(np.median(bare_s)),
            rows_per_s=len(values) / float(np.median(ours_s)),
            ratio=float(np.median(np.array(bare_s) / np.array(ours_s))),
        )

    def _shards(self, plan: Plan, manifest: Manifest) -> list[Shard]:
        def pieces_of(found: Entry) -> list[Shard]:
            return list(
                shards_of(
                    lambda room: split(
                        self._store, found, room, 0, form=plan.format, signature=manifest.signature
                    ),
                    lambda _: (_SHARD_ROWS, 2**40),
                    shards=0,
                    rows=0,
                )
            )

        shards = [shard for found in objects_of(self._store, plan.input) for shard in pieces_of(found)]
        if plan.format != "images":
            return shards
        pieces = tuple(piece for shard in shards for piece in shard.pieces)
        return [Shard(first_row=1, rows=len(pieces), pieces=pieces)]

    def _turns(self, bare: Callable[[], None], ours: Callable[[], None]) -> tuple[list[float], list[float]]:
        bare()
        ours()
        bare_s, ours_s = [], []
        for _ in range(self._runs):
            bare_s.append(_cpu_s(bare))
            ours_s.append(_cpu_s(ours))
        return bare_s, ours_s


def _cpu_s(work: Callable[[], None]) -> float:
    began_s = process_time()
    work()
    return process_time() - began_s


def _jpeg(pixels: Array) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=90)
    return file.getvalue()


if __name__ == "__main__":
    said = dict(zip(("runs", "rows", "pictures"), map(int, sys.argv[1:]), strict=False))
    found = measure(Console(stderr=True), **said)
    Console().print(as_table(found))
