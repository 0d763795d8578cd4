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


def run(session: onnxruntime.InferenceSession, inputs: Inputs, *, batch: int = _BATCH) -> list[NDArray[Any]]:
    """Run all rows through the model, in batches; return its outputs, with a row for each row that came.

    `inputs` may hold more than the model takes. A model of a fixed number of rows gets that many at once:
    what the last batch lacks is filled up with the last row, and the answers to those are dropped.
    """
    taken = session.get_inputs()
    count = len(next(iter(inputs.values())))
    fixed = taken[0].shape[0] if taken[0].shape else None
    if isinstance(fixed, int):
        batch, rows = fixed, np.minimum(np.arange(count + -count % fixed), count - 1)
    else:
        rows = np.arange(count)
    parts = [
        session.run(
            None, {spec.name: np.asarray(inputs[spec.name][rows[start : start + batch]]) for spec in taken}
        )
        for start in range(0, len(rows), batch)
    ]
    return [np.concatenate(answers)[:count] for answers in zip(*parts, strict=True)]
