"""Leave out of a file what only its readers would miss: kilobytes, of which a small model has few."""

from collections.abc import Iterator, Mapping
from itertools import count, product
from pathlib import Path
from string import ascii_letters
from typing import Final

import onnx
from onnx import helper, numpy_helper

# What convolutions and pooling do unless they are told otherwise (ONNX operator set 18).
_WINDOWED: Final = {"Conv", "MaxPool", "AveragePool"}
_DEFAULTS: Final = {
    one.name: one
    for one in (
        helper.make_attribute("auto_pad", "NOTSET"),
        helper.make_attribute("group", 1),
        helper.make_attribute("ceil_mode", 0),
        helper.make_attribute("storage_order", 0),
        helper.make_attribute("count_include_pad", 0),
    )
}
_WITH_ZERO_POINT: Final = 3  # inputs of an operator that takes rounded values back


def tidy(path: Path) -> None:
    """Drop notes and the names of nodes, keep one of equal constants, and shorten what tensors are called.

    Inputs and outputs keep their names, and the model computes what it did.
    """
    model = onnx.load(path)
    graph = model.graph
    for field in ("metadata_props", "doc_string", "producer_name", "producer_version"):
        model.ClearField(field)
    for field in ("value_info", "metadata_props", "doc_string", "quantization_annotation"):
        graph.ClearField(field)
    for part in (*graph.node, *graph.input, *graph.output, *graph.initializer):
        part.ClearField("metadata_props")
        part.ClearField("doc_string")
    for node in graph.node:
        node.ClearField("name")
        _drop_defaults(node)
    _drop_unused_domains(model)
    # A subgraph knows what it takes from outside by name.
    if not any(attribute.HasField("g") for node in graph.node for attribute in node.attribute):
        _drop_zero_points(graph)
        _rename(graph, _merge_equal(graph))
        graph.name = "model"
        _rename(graph, _short_names(graph))
    onnx.save(model, path)


def _drop_defaults(node: onnx.NodeProto) -> None:
    """Drop attributes that say what would hold without them."""
    kept = [one for one in node.attribute if one != _DEFAULTS.get(one.name) and not _is_undilated(one)]
    if node.op_type in _WINDOWED and not node.domain:
        del node.attribute[:]
        node.attribute.extend(kept)


def _is_undilated(attribute: onnx.AttributeProto) -> bool:
    return attribute.name == "dilations" and set(attribute.ints) == {1}


def _drop_zero_points(graph: onnx.GraphProto) -> None:
    """Drop the zero points of biases, which are 0 for every channel."""
    zeros = {
        one.name: numpy_helper.to_array(one)
        for one in graph.initializer
        if one.data_type == onnx.TensorProto.INT32
    }
    dropped = set()
    for node in graph.node:
        if node.op_type == "DequantizeLinear" and not node.domain and len(node.input) == _WITH_ZERO_POINT:
            zero_point = zeros.get(node.input[-1])
            if zero_point is not None and not zero_point.any():
                dropped.add(node.input.pop())
    used = {name for node in graph.node for name in node.input} | {one.name for one in graph.output}
    kept = [one for one in graph.initializer if one.name not in dropped - used]
    del graph.initializer[:]
    graph.initializer.extend(kept)


def _drop_unused_domains(model: onnx.ModelProto) -> None:
    nodes = [*model.graph.node, *(node for function in model.functions for node in function.node)]
    used = {node.domain or "ai.onnx" for node in nodes} | {"ai.onnx"}
    kept = [one for one in model.opset_import if (one.domain or "ai.onnx") in used]
    del model.opset_import[:]
    model.opset_import.extend(kept)


def _merge_equal(graph: onnx.GraphProto) -> dict[str, str]:
    """Drop constants that equal an earlier one; return which stands in for which."""
    public = {one.name for one in graph.output}
    first: dict[bytes, str] = {}
    renamed = {}
    kept = []
    for constant in graph.initializer:
        name = constant.name
        constant.ClearField("name")
        content = constant.SerializeToString(deterministic=True)
        constant.name = name
        if name in public or first.setdefault(content, name) == name:
            kept.append(constant)
        else:
            renamed[name] = first[content]
    del graph.initializer[:]
    graph.initializer.extend(kept)
    return renamed


def _short_names(graph: onnx.GraphProto) -> dict[str, str]:
    public = {one.name for one in (*graph.input, *graph.output)}
    free = (name for name in _names() if name not in public)
    made = [*(one.name for one in graph.initializer), *(name for node in graph.node for name in node.output)]
    return {name: next(free) for name in dict.fromkeys(made) if name and name not in public}


def _names() -> Iterator[str]:
    """Yield a, b, ..., Z, aa, ab, ..."""
    for length in count(1):
        yield from map("".join, product(ascii_letters, repeat=length))


def _rename(graph: onnx.GraphProto, renamed: Mapping[str, str]) -> None:
    for node in graph.node:
        node.input[:] = [renamed.get(name, name) for name in node.input]
        node.output[:] = [renamed.get(name, name) for name in node.output]
    for constant in graph.initializer:
        constant.name = renamed.get(constant.name, constant.name)
