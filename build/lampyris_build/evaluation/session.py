"""Ask an ONNX model, as serving will: by onnxruntime, raw inputs by name."""

import os
from pathlib import Path
from typing import Any, Final

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from lampyris_build.data.dataset import Inputs

_BATCH: Final = 256


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


def rows_taken(session: onnxruntime.InferenceSession) -> int | None:
    """Return how many rows a model takes at once, if it takes a certain number and no other."""
    shape = session.get_inputs()[0].shape
    return shape[0] if shape and isinstance(shape[0], int) else None


def feed(
    session: onnxruntime.InferenceSession, inputs: Inputs, rows: NDArray[np.int64]
) -> dict[str, NDArray[Any]]:
    """Return the rows of what the model takes; `inputs` may hold more."""
    return {spec.name: np.asarray(inputs[spec.name][rows]) for spec in session.get_inputs()}


def run(session: onnxruntime.InferenceSession, inputs: Inputs, *, batch: int = _BATCH) -> list[NDArray[Any]]:
    """Run all rows through the model, in batches; return its outputs, with a row for each row that came.

    Where a model takes a certain number of rows, the last batch is filled up with the last row, and the
    answers to those are dropped.
    """
    count, fixed = len(next(iter(inputs.values()))), rows_taken(session)
    size = fixed or batch
    asked = count if fixed is None else count + -count % size
    rows = np.minimum(np.arange(asked), count - 1)
    parts = [
        session.run(None, feed(session, inputs, rows[start : start + size]))
        for start in range(0, asked, size)
    ]
    return [np.concatenate(answers)[:count] for answers in zip(*parts, strict=True)]
