"""Put what callers send before a converted graph, and what they are answered behind it."""

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
    return compose.add_prefix(model, "estimator.")


def add_input(
    model: onnx.ModelProto, place: int, spec: TensorSpec, *, shape: tuple[int, ...], cast: bool = False
) -> None:
    """Let callers send `spec` where the graph has its input number `place`, of another shape or type."""
    graph = model.graph
    old = graph.input[place]
    nodes = []
    source = spec.name
    if cast:
        kind = old.type.tensor_type.elem_type
        nodes.append(helper.make_node("Cast", [source], [f"{spec.name}.cast"], to=kind))
        source = f"{spec.name}.cast"
    wanted = _constant(graph, f"{spec.name}.shape", np.array(shape, np.int64))
    nodes.append(helper.make_node("Reshape", [source, wanted], [old.name]))
    _put_first(graph, nodes)
    old.CopyFrom(_value(spec))


def add_output(
    model: onnx.ModelProto,
    spec: TensorSpec,
    *,
    mean: NDArray[np.float32] | None = None,
    std: NDArray[np.float32] | None = None,
) -> None:
    """Answer with the graph's only output: times `std` plus `mean`, if given, in the shape of `spec`."""
    graph = model.graph
    (old,) = graph.output
    source = old.name
    for operator, value in (("Mul", std), ("Add", mean)):
        if value is not None:
            constant = _constant(graph, f"{spec.name}.{operator}", value)
            graph.node.append(helper.make_node(operator, [source, constant], [f"{constant}.result"]))
            source = f"{constant}.result"
    wanted = _constant(graph, f"{spec.name}.shape", np.array(spec.shape, np.int64))
    graph.node.append(helper.make_node("Reshape", [source, wanted], [spec.name]))
    old.CopyFrom(_value(spec))


def join(front: onnx.ModelProto, model: onnx.ModelProto) -> onnx.ModelProto:
    """Feed a model's only input with the only output of `front`."""
    model.ir_version = front.ir_version
    (given,), (taken,) = front.graph.output, model.graph.input
    return compose.merge_models(front, model, io_map=[(given.name, taken.name)])


def _constant(graph: onnx.GraphProto, name: str, value: NDArray[Any]) -> str:
    graph.initializer.append(numpy_helper.from_array(value, name))
    return name


def _put_first(graph: onnx.GraphProto, nodes: Sequence[onnx.NodeProto]) -> None:
    rest = list(graph.node)
    del graph.node[:]
    graph.node.extend([*nodes, *rest])


def _value(spec: TensorSpec) -> onnx.ValueInfoProto:
    kind = helper.np_dtype_to_tensor_dtype(NUMPY_OF[spec.datatype])
    shape = [_BATCH if size == DYNAMIC else size for size in spec.shape]
    return helper.make_tensor_value_info(spec.name, kind, shape)
