"""Models that answer with what they were given, whatever its datatype."""

from collections.abc import Callable
from typing import get_args

import onnx
import pytest
from onnx import helper

from lampyris.domain.datatypes import DATATYPE_OF_ONNX, Datatype
from lampyris.domain.manifest import Manifest
from lampyris.domain.signature import Signature, TensorSpec

DATATYPES: tuple[Datatype, ...] = get_args(Datatype)
_ONNX = {
    "tensor(float16)": onnx.TensorProto.FLOAT16,
    "tensor(float)": onnx.TensorProto.FLOAT,
    "tensor(double)": onnx.TensorProto.DOUBLE,
}
_ONNX_OF = {
    datatype: _ONNX.get(onnx_type) or onnx.TensorProto.DataType.Value(onnx_type[7:-1].upper())
    for onnx_type, datatype in DATATYPE_OF_ONNX.items()
}

PublishIdentity = Callable[..., Manifest]


@pytest.fixture
def publish_identity(publish: Callable[..., Manifest]) -> PublishIdentity:
    """Publish a model that copies inputs x0, x1, … of these datatypes to its outputs y0, y1, …."""

    def publish_copy(
        *datatypes: Datatype,
        name: str = "echo",
        shape: tuple[int, ...] = (-1, -1),
        labels: tuple[str, ...] | None = None,
    ) -> Manifest:
        sides = {
            side: tuple(
                TensorSpec(name=f"{side}{index}", datatype=datatype, shape=shape)
                for index, datatype in enumerate(datatypes)
            )
            for side in "xy"
        }
        graph = helper.make_graph(
            [helper.make_node("Identity", [f"x{index}"], [f"y{index}"]) for index in range(len(datatypes))],
            "echo",
            [_value(spec) for spec in sides["x"]],
            [_value(spec) for spec in sides["y"]],
        )
        return publish(
            name,
            model=helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8),
            signature=Signature(inputs=sides["x"], outputs=sides["y"], labels=labels),
        )

    return publish_copy


def _value(spec: TensorSpec) -> onnx.ValueInfoProto:
    sizes = [f"{spec.name}_{axis}" if size < 0 else size for axis, size in enumerate(spec.shape)]
    return helper.make_tensor_value_info(spec.name, _ONNX_OF[spec.datatype], sizes)


@pytest.fixture
def every_datatype(publish_identity: PublishIdentity) -> None:
    """Publish a model for each datatype, by the name of it in lower case."""
    for datatype in DATATYPES:
        publish_identity(datatype, name=datatype.lower())
