"""The session that every peer serves: opened as Lampyris opens it, so that only what is around it differs."""

import os
from typing import Any

import onnxruntime


def open_session(folder: str | None = None) -> Any:
    """Open the optimised graph of a folder, and by default the one that the benchmark names."""
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return onnxruntime.InferenceSession(
        f"{folder or os.environ['BENCH_ARTIFACT']}/graph.onnx", options, providers=["CPUExecutionProvider"]
    )
