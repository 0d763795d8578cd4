"""Models that give back what they take."""

from collections.abc import Callable
from typing import Any

import pytest
from onnx import TensorProto, helper

from lampyris.domain.manifest import Manifest
from lampyris.domain.signature import Signature, TensorSpec

ONNX_OF = {
    "BOOL": TensorProto.BOOL,
    "UINT8": TensorProto.UINT8,
    "INT64": TensorProto.INT64,
    "FP16": TensorProto.FLOAT16,
    "FP32": TensorProto.FLOAT,
    "FP64": TensorProto.DOUBLE,
    "BYTES": TensorProto.STRING,
}

PublishEcho = Callable[..., Manifest]


def _value(name: str, spec: TensorSpec) -> Any:
    shape = ["n" if size < 0 else size for size in spec.shape]
    return helper.make_tensor_value_info(name, ONNX_OF[spec.datatype], shape)


@pytest.fixture
def publish_echo(publish: Any) -> PublishEcho:
    """Publish a model whose output `name_out` is its input `name`, for each of its inputs."""

    def publish_inputs(model: str, *inputs: TensorSpec, labels: tuple[str, ...] | None = None) -> Manifest:
        nodes = [helper.make_node("Identity", [spec.name], [f"{spec.name}_out"]) for spec in inputs]
        outputs = tuple(
            TensorSpec(name=f"{spec.name}_out", datatype=spec.datatype, shape=spec.shape) for spec in inputs
        )
        graph = helper.make_graph(
            nodes,
            "echo",
            [_value(spec.name, spec) for spec in inputs],
            [_value(spec.name, spec) for spec in outputs],
        )
        onnx_model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
        signature = Signature(inputs=inputs, outputs=outputs, labels=labels)
        manifest: Manifest = publish(model, model=onnx_model, signature=signature)
        return manifest

    return publish_inputs
