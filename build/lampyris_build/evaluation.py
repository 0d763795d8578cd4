"""Measure a model as it will be served: by onnxruntime, on the test set, one sample at a time.

Shape suffixes: N samples, K classes.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from time import perf_counter
from typing import Any, Final

import msgspec
import numpy as np
import onnxruntime
from numpy.typing import NDArray

from lampyris_build.data.dataset import Samples

_BATCH: Final = 256
_WARM_UP_RUNS: Final = 20
_RUNS: Final = 300


class Metrics(msgspec.Struct, frozen=True, kw_only=True):
    """What one precision of the model is worth. Latency is that of one sample, on one thread."""

    accuracy: float
    size_bytes: float
    latency_p50_ms: float
    latency_p99_ms: float


def open_session(
    model: Path,
    *,
    threads: int = 0,
    level: onnxruntime.GraphOptimizationLevel = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_EXTENDED,
) -> onnxruntime.InferenceSession:
    """Load a model, optimised for any CPU; 0 threads are as many as there are cores."""
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = level
    options.intra_op_num_threads = threads
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return onnxruntime.InferenceSession(os.fspath(model), options, providers=["CPUExecutionProvider"])


def probabilities(session: onnxruntime.InferenceSession, inputs: NDArray[Any]) -> NDArray[np.float32]:
    """Run all inputs through the model, in batches: (N, …) -> (N, K)."""
    (spec,) = session.get_inputs()
    answers = [
        session.run(None, {spec.name: inputs[start : start + _BATCH]})[0]
        for start in range(0, len(inputs), _BATCH)
    ]
    return np.concatenate(answers)


def measure(models: Mapping[str, Path], test: Samples) -> dict[str, Metrics]:
    """Measure every model on the test set; timed runs take turns, so that all meet the same conditions."""
    latencies_ms = _latencies_ms(models, test)
    metrics = {}
    for name, path in models.items():
        predicted_N = probabilities(open_session(path), test.inputs).argmax(axis=1)
        p50, p99 = np.percentile(latencies_ms[name], (50, 99))
        metrics[name] = Metrics(
            accuracy=float((predicted_N == test.labels).mean()),
            size_bytes=path.stat().st_size,
            latency_p50_ms=float(p50),
            latency_p99_ms=float(p99),
        )
    return metrics


def agreement(one: Path, other: Path, inputs: NDArray[Any]) -> float:
    """Return the share of inputs on which two models find the same class most likely."""
    answers = [probabilities(open_session(path), inputs).argmax(axis=1) for path in (one, other)]
    return float((answers[0] == answers[1]).mean())


def _latencies_ms(models: Mapping[str, Path], test: Samples) -> dict[str, list[float]]:
    sessions = {name: open_session(path, threads=1) for name, path in models.items()}
    elapsed_ms: dict[str, list[float]] = {name: [] for name in models}
    for run in range(_WARM_UP_RUNS + _RUNS):
        sample = test.inputs[run % len(test) : run % len(test) + 1]
        for name, session in sessions.items():
            feed = {session.get_inputs()[0].name: sample}
            started = perf_counter()
            session.run(None, feed)
            elapsed_ms[name].append((perf_counter() - started) * 1000)
    return {name: values[_WARM_UP_RUNS:] for name, values in elapsed_ms.items()}
