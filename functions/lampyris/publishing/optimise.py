"""Make the artifact: a small optimised graph, and beside it the weights that a session maps into memory."""

from pathlib import Path

import onnx
import onnxruntime

from lampyris.errors import UnsupportedModel
from lampyris.publishing.runtime import refusing
from lampyris.serving.fetch import GRAPH_FILE, WEIGHTS_FILE

# Operators whose data lies in blocks as wide as one CPU's vectors; other CPUs cannot load them.
NCHWC_DOMAIN = "com.microsoft.nchwc"
# Smaller tensors stay in the graph: a model without larger ones is one file, and one request.
_WEIGHTS_FROM_BYTES = 64 * 1024
# Folding constants may transpose every weight, but must not grow a few bytes into gigabytes.
_FOLDING_BYTES = 16 * 1024 * 1024
_LEVELS = onnxruntime.GraphOptimizationLevel


def optimise(model: Path, *, limit_bytes: int) -> None:
    """Write GRAPH_FILE beside `model`, and WEIGHTS_FILE if there are sizeable weights.

    Optimised as far as any CPU can follow, without changing how data lies in memory. The weights are
    page-aligned by onnxruntime, so that they can be mapped. Equal models give equal files.
    Raises: UnsupportedModel, MemoryError.
    """
    _write(model, model.parent, level=_LEVELS.ORT_ENABLE_EXTENDED)
    files = (model.with_name(GRAPH_FILE), model.with_name(WEIGHTS_FILE))
    size_bytes = sum(file.stat().st_size for file in files if file.exists())
    if size_bytes > limit_bytes:
        raise UnsupportedModel(
            reason=f"The model has {size_bytes:,} bytes once its constants are computed; "
            f"at most {limit_bytes:,} are served."
        )


def put_channels_last(graph: Path, folder: Path) -> None:
    """Write an artifact into `folder` whose int8 convolutions take channels last; any CPU can load it.

    Raises: UnsupportedModel, MemoryError.
    """
    _write(graph, folder, level=_LEVELS.ORT_ENABLE_ALL, without=("NchwcTransformer",))


def tune(graph: Path, folder: Path) -> bool:
    """Write an artifact into `folder` for this CPU and onnxruntime; False if any other CPU could load it too.

    Raises: UnsupportedModel, MemoryError.
    """
    _write(graph, folder, level=_LEVELS.ORT_ENABLE_ALL)
    return any(domain == NCHWC_DOMAIN for domain, _ in operators(folder / GRAPH_FILE))


def operators(graph: Path) -> set[tuple[str, str]]:
    """Return the operators of a graph: domain and name."""
    nodes = onnx.load(str(graph), load_external_data=False).graph.node
    return {(node.domain, node.op_type) for node in nodes}


def _write(
    model: Path, folder: Path, *, level: onnxruntime.GraphOptimizationLevel, without: tuple[str, ...] = ()
) -> None:
    weights = folder / WEIGHTS_FILE
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = level
    options.optimized_model_filepath = str(folder / GRAPH_FILE)
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    for key, value in {
        "session.optimized_model_external_initializers_file_name": WEIGHTS_FILE,
        "session.optimized_model_external_initializers_min_size_in_bytes": _WEIGHTS_FROM_BYTES,
        "optimization.constant_folding_max_output_size_in_bytes": max(_FOLDING_BYTES, model.stat().st_size),
    }.items():
        options.add_session_config_entry(key, str(value))
    with refusing("load the model"):
        onnxruntime.InferenceSession(
            str(model), options, providers=["CPUExecutionProvider"], disabled_optimizers=list(without)
        )
    if weights.exists() and weights.stat().st_size == 0:
        weights.unlink()
