"""What onnxruntime wants done to a graph before it changes the types in it."""

from pathlib import Path

from onnxruntime.quantization import quant_pre_process


def prepare(path: Path, out: Path) -> None:
    """Write the graph with constants folded, normalisation merged into convolutions, and all types."""
    # Types must be known, shapes need not: symbolic inference, which does not know every operator, is left out.
    quant_pre_process(str(path), str(out), skip_symbolic_shape=True)
