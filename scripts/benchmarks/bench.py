"""What all benchmarks share: the models, the store that serves them, and the cores that may be used."""

import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
from rich.console import Console

from lampyris.adapters.folder_store import FolderStore
from processes import await_port, free_port, running, script
from subjects import Subject, Subjects

_BUCKET = "benchmark"
_START_LIMIT_S = 30


class Bench(msgspec.Struct, frozen=True, kw_only=True):
    """The place where measurements are made. `cores` are for what is measured, and for nothing else."""

    folder: Path
    endpoint: str
    subjects: Subjects
    cores: set[int]
    console: Console

    def variables(self, subject: Subject, *, preload: bool, memory_mb: int = 1769) -> dict[str, str]:
        """Return what Lambda would set for the predict function, and what a benchmark's child reads."""
        variables = {
            "AWS_ACCESS_KEY_ID": "benchmark",
            "AWS_SECRET_ACCESS_KEY": "benchmark",
            "AWS_REGION": "us-east-1",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(memory_mb),
            "LAMPYRIS_BUCKET": _BUCKET,
            "LAMPYRIS_PRELOAD": subject.name if preload else "",
            "TMPDIR": str(self.folder),
            "BENCH_MODEL": subject.name,
            "BENCH_ARTIFACT": str(subject.artifact),
            "BENCH_REQUEST": str(subject.request),
            "BENCH_TENSOR": str(subject.tensor),
            "BENCH_INPUT": subject.input.name,
            "BENCH_SHAPE": json.dumps([1, *subject.input.shape[1:]]),
            "BENCH_BLOBS": json.dumps(subject.digests),
        }
        # PYTHONDONTWRITEBYTECODE and the like would be measured, too; Lambda sets none of them.
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
        return {**inherited, **variables}


@contextmanager
def open_bench(console: Console, cores: int | None) -> Iterator[Bench]:
    """Make a bench in a temporary folder; `cores` limits what is measured, and not the store beside it."""
    with tempfile.TemporaryDirectory(prefix="lampyris-bench-") as name:
        folder = Path(name)
        buckets = folder / "buckets"
        buckets.mkdir()
        store = FolderStore(buckets / _BUCKET)
        port = free_port()
        command = script("store.py", str(buckets), str(port))
        free = os.sched_getaffinity(0)
        with running(command, os.environ, free) as server:
            await_port(server, port, every_s=0.1, limit_s=_START_LIMIT_S)
            yield Bench(
                folder=folder,
                endpoint=f"http://127.0.0.1:{port}",
                subjects=Subjects(store, folder, console),
                cores=set(sorted(free)[:cores]),
                console=console,
            )
