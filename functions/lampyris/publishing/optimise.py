"""Make the artifact: a small optimised graph, and beside it the weights that a session maps into memory."""

from pathlib import Path

import onnxruntime

from lampyris.errors import UnsupportedModel
from lampyris.publishing.runtime import refusing
from lampyris.serving.fetch import GRAPH_FILE, WEIGHTS_FILE

# Smaller tensors stay in the graph: a model without larger ones is one file, and one request.
_WEIGHTS_FROM_BYTES = 64 * 1024
# Folding constants may transpose every weight, but must not grow a few bytes into gigabytes.
_FOLDING_BYTES = 16 * 1024 * 1024


def optimise(model: Path, *, limit_bytes: int) -> None:
    """Write GRAPH_FILE beside `model`, and WEIGHTS_FILE if there are sizeable weights.

    Optimised as far as any CPU can follow; what is tuned to one (ORT_ENABLE_ALL) would not load on another.
    The weights are page-aligned by onnxruntime, so that they can be mapped. Equal models give equal files.
    Raises: UnsupportedModel, MemoryError.
    """
    graph, weights = model.with_name(GRAPH_FILE), model.with_name(WEIGHTS_FILE)
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
    options.optimized_model_filepath = str(graph)
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    for key, value in {
        "session.optimized_model_external_initializers_file_name": WEIGHTS_FILE,
        "session.optimized_model_external_initializers_min_size_in_bytes": _WEIGHTS_FROM_BYTES,
        "optimization.constant_folding_max_output_size_in_bytes": max(_FOLDING_BYTES, model.stat().st_size),
    }.items():
        options.add_session_config_entry(key, str(value))
    with refusing("load the model"):
        onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
    if weights.exists() and weights.stat().st_size == 0:
        weights.unlink()
    size_bytes = sum(file.stat().st_size for file in (graph, weights) if file.exists())
    if size_bytes > limit_bytes:
        raise UnsupportedModel(
            reason=f"The model has {size_bytes:,} bytes once its constants are computed; "
            f"at most {limit_bytes:,} are served."
        )
