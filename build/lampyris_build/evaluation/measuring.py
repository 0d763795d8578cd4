"""Measure a form of a model as it will be served: what it is worth, and what it costs."""

from collections.abc import Mapping
from pathlib import Path

import msgspec

from lampyris_build.data.dataset import Samples
from lampyris_build.evaluation.latency import measure_latency
from lampyris_build.evaluation.memory import measure_memory
from lampyris_build.evaluation.metrics import Metrics
from lampyris_build.evaluation.session import open_session, run
from lampyris_build.tasks.task import Task


def measure(model: Path, task: Task, test: Samples) -> Metrics:
    """Score a model on the test set, and measure its size, latency and memory."""
    answers = run(open_session(model), test.inputs)
    latency = measure_latency({"it": model}, test.inputs)["it"]
    return Metrics(
        score=task.score(answers, test),
        scores=task.scores(answers, test),
        size_bytes=model.stat().st_size,
        latency_p50_ms=latency.p50_ms,
        latency_p99_ms=latency.p99_ms,
        memory_bytes=measure_memory(model, test.inputs),
    )


def timed_together(
    models: Mapping[str, Path], metrics: Mapping[str, Metrics], test: Samples
) -> dict[str, Metrics]:
    """Time the models anew in turns, so that their latencies can be compared."""
    latencies = measure_latency(models, test.inputs)
    return {
        name: msgspec.structs.replace(
            one, latency_p50_ms=latencies[name].p50_ms, latency_p99_ms=latencies[name].p99_ms
        )
        for name, one in metrics.items()
    }
