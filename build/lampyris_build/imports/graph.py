"""Put what callers send before a graph that came from elsewhere, and what they are answered behind it."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import compose, helper, numpy_helper

from lampyris.domain.signature import DYNAMIC, TensorSpec
from lampyris.domain.tensors import NUMPY_OF

_BATCH = "batch"


def apart(model: onnx.ModelProto) -> onnx.ModelProto:
    """Set all names of a model's graph apart, so that those of callers are free."""
    return compose.add_prefix(model, "model.")


def add_input(
    model: onnx.ModelProto, name: str, spec: TensorSpec, *, shape: tuple[int, ...], cast: bool = False
) -> None:
    """Let callers send `spec` where a graph has the input `name`, of another `shape` or, if `cast`, type."""
    graph = model.graph
    (old,) = (value for value in graph.input if value.name == name)
    sent = spec.name
    nodes = []
    if cast:
        nodes.append(helper.make_node("Cast", [sent], [f"{name}.cast"], to=old.type.tensor_type.elem_type))
        sent = f"{name}.cast"
    if shape == spec.shape:
        nodes.append(helper.make_node("Identity", [sent], [name]))
    else:
        nodes.append(helper.make_node("Reshape", [sent, _constant(model, np.array(shape))], [name]))
    _put_first(graph, nodes)
    old.CopyFrom(_value(spec))


def add_columns(model: onnx.ModelProto, specs: Sequence[TensorSpec]) -> None:
    """Let callers send columns of numbers where a graph has a matrix as its only input."""
    graph = model.graph
    (old,) = graph.input
    column = _constant(model, np.array((DYNAMIC, 1)))
    nodes = [helper.make_node("Reshape", [spec.name, column], [f"{spec.name}.column"]) for spec in specs]
    nodes.append(helper.make_node("Concat", [f"{spec.name}.column" for spec in specs], ["matrix"], axis=1))
    nodes.append(helper.make_node("Cast", ["matrix"], [old.name], to=old.type.tensor_type.elem_type))
    _put_first(graph, nodes)
    del graph.input[:]
    graph.input.extend(map(_value, specs))


def append(model: onnx.ModelProto, operator: str, *inputs: str | NDArray[Any], **attributes: Any) -> str:
    """Compute something more of what a graph computes and of constants; return the name of the result."""
    out = f"after.{len(model.graph.node)}"
    names = [one if isinstance(one, str) else _constant(model, one) for one in inputs]
    model.graph.node.append(helper.make_node(operator, names, [out], **attributes))
    return out


def answer_with(model: onnx.ModelProto, name: str, spec: TensorSpec) -> None:
    """Let `name` be all that is answered, in the shape of `spec` and by its name."""
    wanted = _constant(model, np.array(spec.shape))
    model.graph.node.append(helper.make_node("Reshape", [name, wanted], [spec.name]))
    del model.graph.output[:]
    model.graph.output.append(_value(spec))


def join(front: onnx.ModelProto, model: onnx.ModelProto) -> onnx.ModelProto:
    """Feed a model's only input with the only output of `front`."""
    model.ir_version = front.ir_version
    (given,), (taken,) = front.graph.output, model.graph.input
    joined = compose.merge_models(front, model, io_map=[(given.name, taken.name)])
    # It names the operator sets of both, and quantisation wants each named once.
    versions = {one.domain: one.version for one in joined.opset_import}
    del joined.opset_import[:]
    joined.opset_import.extend(helper.make_opsetid(domain, version) for domain, version in versions.items())
    return joined


def _put_first(graph: onnx.GraphProto, nodes: Sequence[onnx.NodeProto]) -> None:
    rest = list(graph.node)
    del graph.node[:]
    graph.node.extend([*nodes, *rest])


def _constant(model: onnx.ModelProto, value: NDArray[Any]) -> str:
    name = f"constant.{len(model.graph.initializer)}"
    model.graph.initializer.append(numpy_helper.from_array(value, name))
    return name


def _value(spec: TensorSpec) -> onnx.ValueInfoProto:
    kind = helper.np_dtype_to_tensor_dtype(NUMPY_OF[spec.datatype])
    shape: Sequence[int | str] = [_BATCH if size == DYNAMIC else size for size in spec.shape]
    return helper.make_tensor_value_info(spec.name, kind, shape)
