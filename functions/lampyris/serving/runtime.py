"""onnxruntime as Lampyris uses it: how a session is made, and what its failures mean."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:  # imported when the first session is made, so that a download can start before it
    from os import PathLike

    from onnxruntime import InferenceSession

# It raises classes with no common root, and says the rest in words.
_OUT_OF_MEMORY = ("bad_alloc", "Failed to allocate memory", "can't start new thread")
_FATAL = 4


def open_session(graph: "str | PathLike[str]", *, threads: int) -> "InferenceSession":
    """Make a session of an optimised graph, with its weights file mapped beside it.

    The graph was optimised when it was published, so nothing is optimised here. Threads do not spin while
    they wait: on a share of a core that burns billed time. What fails is raised, not logged as well.
    """
    import onnxruntime  # noqa: PLC0415 - see TYPE_CHECKING above

    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = _FATAL
    return onnxruntime.InferenceSession(str(graph), options, providers=["CPUExecutionProvider"])


def is_out_of_memory(error: Exception) -> bool:
    """Tell whether memory was what a load or a run lacked."""
    return isinstance(error, MemoryError) or any(sign in str(error) for sign in _OUT_OF_MEMORY)
