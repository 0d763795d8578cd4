from collections.abc import Callable
from pathlib import Path

import numpy as np

from lampyris_build.evaluation.latency import measure_latency


def test_every_model_gets_its_latency(linear: Callable[..., Path]) -> None:
    models = {"small": linear(np.eye(2)), "wide": linear(np.ones((2, 64)))}

    latencies = measure_latency(models, {"features": np.ones((3, 2), np.float32)})

    assert list(latencies) == ["small", "wide"]
    assert all(0 < one.p50_ms <= one.p99_ms for one in latencies.values())


def test_rows_of_strings_are_timed_too(echo: Path) -> None:
    inputs = {"number": np.ones(2, np.float32), "word": np.array(["a", "b"], object)}

    latencies = measure_latency({"echo": echo}, inputs)

    assert latencies["echo"].p50_ms > 0


def test_model_of_fixed_batch_is_timed_with_as_many_rows(linear: Callable[..., Path]) -> None:
    latencies = measure_latency(
        {"four": linear(np.eye(2), rows=4)}, {"features": np.ones((3, 2), np.float32)}
    )

    assert latencies["four"].p50_ms > 0
