"""Time models as the predict function would run them: one row, one thread, one request after the other."""

from collections.abc import Mapping
from pathlib import Path
from time import perf_counter
from typing import Final

import msgspec
import numpy as np

from lampyris_build.data.dataset import Inputs
from lampyris_build.evaluation.session import feed, open_session, rows_taken

# Each model runs so often, or as often as the budget allows.
_WARM_UP: Final = 10
_LEAST: Final = 20
_MOST: Final = 300
_BUDGET_S: Final = 5.0  # for each model


class Latency(msgspec.Struct, frozen=True, kw_only=True):
    p50_ms: float
    p99_ms: float


def measure_latency(models: Mapping[str, Path], inputs: Inputs) -> dict[str, Latency]:
    """Time single rows on every model; they take turns, so that all meet the same conditions.

    A model that takes a certain number of rows is timed with so many.
    """
    sessions = {name: open_session(path, threads=1) for name, path in models.items()}
    count = len(next(iter(inputs.values())))
    elapsed_ms: dict[str, list[float]] = {name: [] for name in models}
    until_s = perf_counter() + _BUDGET_S * len(models)
    for turn in range(_WARM_UP + _MOST):
        if turn >= _WARM_UP + _LEAST and perf_counter() > until_s:
            break
        for name, session in sessions.items():
            asked = feed(session, inputs, (turn + np.arange(rows_taken(session) or 1)) % count)
            started_s = perf_counter()
            session.run(None, asked)
            elapsed_ms[name].append((perf_counter() - started_s) * 1000)
    return {name: _percentiles(values[_WARM_UP:]) for name, values in elapsed_ms.items()}


def _percentiles(elapsed_ms: list[float]) -> Latency:
    p50, p99 = np.percentile(elapsed_ms, (50, 99))
    return Latency(p50_ms=float(p50), p99_ms=float(p99))
