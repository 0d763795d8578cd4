"""An ONNX graph as the steps see it: prepared for changes, and the part of it that is the network."""

from collections.abc import Iterable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import onnx
from onnx import TensorProto
from onnxruntime.quantization import quant_pre_process

# Where the inputs of an operator hold its weights.
_WEIGHTS: Final = {
    "Conv": (1,),
    "ConvTranspose": (1,),
    "Gather": (0,),
    "Gemm": (0, 1),
    "GRU": (1, 2),
    "LSTM": (1, 2),
    "MatMul": (0, 1),
}


def prepared(path: Path) -> onnx.ModelProto:
    """Load a model with its constants folded, normalisation merged into convolutions, and all types known."""
    with TemporaryDirectory() as work:
        out = Path(work) / "prepared.onnx"
        # Shapes need not be known. So symbolic inference, which does not know every operator, is left out.
        quant_pre_process(str(path), str(out), skip_symbolic_shape=True)
        model: onnx.ModelProto = onnx.load(out)
    for place, node in enumerate(model.graph.node):
        node.name = f"{node.op_type}_{place}"  # the steps name what they leave alone
    return model


def layers(graph: onnx.GraphProto) -> set[str]:
    """Name the nodes that have weights in fp32."""
    weights = {one.name for one in graph.initializer if one.data_type == TensorProto.FLOAT}
    return {
        node.name
        for node in graph.node
        if weights
        & {node.input[place] for place in _WEIGHTS.get(node.op_type, ()) if place < len(node.input)}
    }


def network(graph: onnx.GraphProto) -> set[str]:
    """Name the nodes from the first layer to the last, on whichever way through the graph.

    What stands before them is preprocessing, which sees raw values of any scale; what comes after them makes
    probabilities, or numbers in the target's unit.
    """
    weighted = layers(graph)
    after: set[str] = set()
    reached: set[str] = set()
    for node in graph.node:
        if node.name in weighted or reached & set(node.input):
            after.add(node.name)
            reached |= set(node.output)
    before: set[str] = set()
    needed: set[str] = set()
    for node in reversed(graph.node):
        if node.name in weighted or needed & set(node.output):
            before.add(node.name)
            needed |= set(node.input)
    return after & before


def replace_nodes(graph: onnx.GraphProto, nodes: Iterable[onnx.NodeProto]) -> None:
    """Put other nodes in the place of all, and drop the constants that none of them takes."""
    made = list(nodes)
    used = {name for node in made for name in node.input} | {one.name for one in graph.output}
    constants = [one for one in graph.initializer if one.name in used]
    for field, parts in (("node", made), ("initializer", constants)):
        graph.ClearField(field)
        getattr(graph, field).extend(parts)
