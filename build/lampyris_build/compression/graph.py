"""An ONNX graph as the steps see it: prepared for changes, and the part of it that is the network."""

import re
from collections.abc import Iterable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import onnx
import onnxruntime
from onnx import TensorProto, helper
from onnxruntime.quantization.quant_utils import add_pre_process_metadata

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

_TENSOR: Final = re.compile(r"tensor\((\w+)\)")


def prepared(path: Path) -> onnx.ModelProto:
    """Load a model with its constants folded, normalisation merged into convolutions, and all types known."""
    with TemporaryDirectory() as work:
        out = Path(work) / "prepared.onnx"
        _session(str(path), onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC, out)
        model: onnx.ModelProto = onnx.load(out)
    for place, node in enumerate(model.graph.node):
        node.name = f"{node.op_type}_{place}"  # the steps name what they leave alone
    _add_types(model)
    add_pre_process_metadata(model)
    return model


def _add_types(model: onnx.ModelProto) -> None:
    """Say of every tensor of what type and shape onnxruntime takes it to be.

    onnx's own inference ends the process where an operator of another domain gives strings to a LabelEncoder.
    """
    told = onnx.ModelProto()
    told.CopyFrom(model)
    known = {one.name for one in told.graph.output}
    made = [name for node in told.graph.node for name in node.output if name and name not in known]
    told.graph.output.extend(onnx.ValueInfoProto(name=name) for name in made)
    session = _session(told.SerializeToString(), onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL)
    model.graph.ClearField("value_info")
    for one in session.get_outputs():
        if one.name not in known and (kind := _TENSOR.fullmatch(one.type)):
            datatype = TensorProto.DataType.Value(kind[1].upper())
            model.graph.value_info.append(helper.make_tensor_value_info(one.name, datatype, one.shape))


def _session(
    model: str | bytes, level: onnxruntime.GraphOptimizationLevel, optimised: Path | None = None
) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = level
    options.log_severity_level = 3
    if optimised is not None:
        options.optimized_model_filepath = str(optimised)
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


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
