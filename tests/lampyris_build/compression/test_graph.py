from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto

from lampyris_build.compression.graph import layers, network, prepared, replace_nodes


def types(graph: onnx.GraphProto, names: set[str]) -> list[str]:
    return [node.op_type for node in graph.node if node.name in names]


def test_the_network_is_what_stands_from_the_first_layer_to_the_last(fp32: Path) -> None:
    graph = prepared(fp32).graph

    assert types(graph, layers(graph)) == ["Conv", "Conv", "Gemm", "Gemm"]
    inside = types(graph, network(graph))
    assert inside[0] == "Conv"
    assert inside[-1] == "Gemm"
    assert not {"Sub", "Div", "Softmax", "Cast"} & set(inside)


def test_what_goes_past_the_layers_is_not_the_networks(written: Callable[..., Path]) -> None:
    path = written(
        """(float[n, 2] x) => (float[n, 2] y) {
            magnitude = Abs(x)
            product = MatMul(x, weights)
            negative = Neg(product)
            twice = MatMul(negative, weights)
            y = Max(twice, magnitude)
        }""",
        weights=np.eye(2, dtype=np.float32),
    )

    graph = prepared(path).graph

    assert types(graph, network(graph)) == ["MatMul", "Neg", "MatMul"]


def test_words_may_stand_before_the_layers(written: Callable[..., Path]) -> None:
    path = written(
        """(string[n] x) => (float[n, m, 2] y) {
            words = com.microsoft.Tokenizer <mark=0, mincharnum=1, pad_value="#", tokenexp="[a-z]+"> (x)
            ids = ai.onnx.ml.LabelEncoder <keys_strings=["a"], values_int64s=[1], default_int64=0> (words)
            y = Gather(table, ids)
        }""",
        table=np.ones((2, 2), np.float32),
    )

    model = prepared(path)

    known = {one.name: one.type.tensor_type.elem_type for one in model.graph.value_info}
    assert known["words"] == TensorProto.STRING
    assert known["ids"] == TensorProto.INT64
    assert types(model.graph, network(model.graph)) == ["Gather"]


def test_constants_that_nothing_takes_any_more_are_dropped(fp32: Path) -> None:
    graph = prepared(fp32).graph
    kept = [node for node in graph.node if node.op_type not in {"Conv", "Gemm"}]

    replace_nodes(graph, kept)

    taken = {name for node in graph.node for name in node.input}
    assert [node.op_type for node in graph.node] == [node.op_type for node in kept]
    assert all(one.name in taken for one in graph.initializer)
