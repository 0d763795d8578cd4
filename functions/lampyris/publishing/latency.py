"""Time single rows, as the predict function would run them: one thread, one request after the other."""

from time import perf_counter
from typing import TYPE_CHECKING

import numpy as np

from lampyris.domain.signature import DYNAMIC, Signature
from lampyris.domain.tensors import Array
from lampyris.publishing.probing import run

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

# Runs that are timed: as many as the budget allows, one at least. The first ones warm up.
_WARM_UP, _MOST, _BUDGET_S = 10, 500, 2.0


def single_row(signature: Signature, inputs: dict[str, Array]) -> dict[str, Array]:
    """Take the first row of inputs wherever the signature leaves open how many there are."""
    return {
        spec.name: inputs[spec.name][:1] if spec.shape[:1] == (DYNAMIC,) else inputs[spec.name]
        for spec in signature.inputs
    }


def measure_latency(session: "InferenceSession", inputs: dict[str, Array]) -> dict[str, float]:
    """Return latency_p50_ms and latency_p99_ms of a run on these inputs, by the names of `Evidence`.

    Raises: UnsupportedModel, MemoryError.
    """
    until_s = perf_counter() + _BUDGET_S
    elapsed_ms: list[float] = []
    while not elapsed_ms or (len(elapsed_ms) < _WARM_UP + _MOST and perf_counter() < until_s):
        started_s = perf_counter()
        run(session, inputs)
        elapsed_ms.append((perf_counter() - started_s) * 1000)
    # A model so slow that it is hardly warm by now is timed by what there is.
    p50, p99 = np.percentile(elapsed_ms[_WARM_UP:] or elapsed_ms[-1:], (50, 99))
    return {"latency_p50_ms": round(float(p50), 4), "latency_p99_ms": round(float(p99), 4)}
