"""Models as TensorFlow Serving's documentation has them, made in ONNX."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest
from onnx import NodeProto, TensorProto, helper, numpy_helper

from lampyris.domain.datatypes import DATATYPE_OF_ONNX, Datatype
from lampyris.domain.manifest import Manifest
from lampyris.domain.signature import Signature, TensorSpec

Specs = Mapping[str, tuple[Datatype, tuple[int, ...]]]

_ELEMENTS = {
    datatype: getattr(TensorProto, name.removeprefix("tensor(").removesuffix(")").upper())
    for name, datatype in DATATYPE_OF_ONNX.items()
}


@pytest.fixture
def publish_graph(publish: Callable[..., Manifest]) -> Callable[..., Manifest]:
    """Publish a graph of `nodes`; inputs and outputs are given as {name: (datatype, shape)}."""

    def publish_named(
        name: str,
        nodes: list[NodeProto],
        inputs: Specs,
        outputs: Specs,
        constants: Mapping[str, np.ndarray] | None = None,
        labels: tuple[str, ...] | None = None,
    ) -> Manifest:
        def values(specs: Specs) -> list[Any]:
            return [
                helper.make_tensor_value_info(
                    name,
                    _ELEMENTS[datatype],
                    [f"{name}{axis}" if size < 0 else size for axis, size in enumerate(shape)],
                )
                for name, (datatype, shape) in specs.items()
            ]

        initializers = [numpy_helper.from_array(value, key) for key, value in (constants or {}).items()]
        graph = helper.make_graph(nodes, "g", values(inputs), values(outputs), initializers)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
        given, taken = (
            tuple(
                TensorSpec(name=name, datatype=datatype, shape=shape)
                for name, (datatype, shape) in side.items()
            )
            for side in (outputs, inputs)
        )
        return publish(name, model=model, signature=Signature(inputs=taken, outputs=given, labels=labels))

    return publish_named


@pytest.fixture
def publish_half_plus_two(publish_graph: Any) -> Callable[..., Manifest]:
    """Publish y = x / 2 + 2, the model of TensorFlow Serving's documentation; again for its next version."""

    def publish_next(plus: float = 2.0) -> Manifest:
        manifest: Manifest = publish_graph(
            "half_plus_two",
            [helper.make_node("Mul", ["x", "half"], ["h"]), helper.make_node("Add", ["h", "plus"], ["y"])],
            inputs={"x": ("FP32", (-1,))},
            outputs={"y": ("FP32", (-1,))},
            constants={"half": np.array(0.5, np.float32), "plus": np.array(plus, np.float32)},
        )
        return manifest

    return publish_next


@pytest.fixture
def sensors(publish_graph: Any) -> None:
    """Publish `sensors`, which gives its three inputs back: a word, a list of 5, and a table of 2 x 2."""
    sides = [
        {
            "tag" + suffix: ("BYTES", (-1,)),
            "signal" + suffix: ("FP32", (-1, 5)),
            "sensor" + suffix: ("INT64", (-1, 2, 2)),
        }
        for suffix in ("", "_out")
    ]
    nodes = [helper.make_node("Identity", [name], [f"{name}_out"]) for name in ("tag", "signal", "sensor")]
    publish_graph("sensors", nodes, *sides)


@pytest.fixture
def publish_echo(publish_graph: Any) -> Callable[..., Manifest]:
    """Publish a model that gives its input `x` back as `y`, or as what `output` names."""

    def publish_of(
        datatype: Datatype, shape: tuple[int, ...], *, name: str = "echo", output: str = "y"
    ) -> Manifest:
        manifest: Manifest = publish_graph(
            name,
            [helper.make_node("Identity", ["x"], [output])],
            inputs={"x": (datatype, shape)},
            outputs={output: (datatype, shape)},
        )
        return manifest

    return publish_of
