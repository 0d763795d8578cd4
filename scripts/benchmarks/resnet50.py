"""A model of ResNet-50's shapes with random weights, as slow as a trained one: fp32 (102 MB), int8 (26 MB).

Source: He et al. 2016, Deep Residual Learning for Image Recognition, table 1 (50 layers, stride in the 3 x 3
convolution). Batch normalisation is left out, as it folds into the convolutions before serving.
"""

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

INPUT = "image"
OUTPUT = "probabilities"
SIDE = 224
CLASSES = 1000
_STAGES = ((3, 64, 256, 1), (4, 128, 512, 2), (6, 256, 1024, 2), (3, 512, 2048, 2))
_OPSET = 17
_IR_VERSION = 8


class _Graph:
    """Adds layers one after another; each method returns the name of what the layer gives."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.weights: list[onnx.TensorProto] = []
        self._random = np.random.default_rng(0)

    def add(self, operator: str, *inputs: str, output: str | None = None, **attributes: Any) -> str:
        name = output or f"t{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, list(inputs), [name], **attributes))
        return name

    def weight(self, array: NDArray[Any]) -> str:
        name = f"w{len(self.weights)}"
        self.weights.append(numpy_helper.from_array(array, name))
        return name

    def random(self, *shape: int, fan_in: int) -> str:
        """Draw weights as He et al. 2015 initialise them, so that activations keep their size."""
        values = self._random.normal(scale=(2 / fan_in) ** 0.5, size=shape)
        return self.weight(values.astype(np.float32))

    def conv(self, x: str, channels: tuple[int, int], *, kernel: int, stride: int = 1) -> str:
        wide, narrow = channels[1], channels[0]
        weights = self.random(wide, narrow, kernel, kernel, fan_in=narrow * kernel * kernel)
        bias = self.weight(np.zeros(wide, np.float32))
        pad = kernel // 2
        return self.add("Conv", x, weights, bias, strides=[stride] * 2, pads=[pad] * 4)

    def bottleneck(self, x: str, channels: tuple[int, int, int], *, stride: int) -> str:
        given, inner, outer = channels
        y = self.add("Relu", self.conv(x, (given, inner), kernel=1))
        y = self.add("Relu", self.conv(y, (inner, inner), kernel=3, stride=stride))
        y = self.conv(y, (inner, outer), kernel=1)
        shortcut = x if given == outer else self.conv(x, (given, outer), kernel=1, stride=stride)
        return self.add("Relu", self.add("Add", y, shortcut))


def resnet50() -> onnx.ModelProto:
    """Make the fp32 model: raw pixels (N, 224, 224, 3) in, probabilities (N, 1000) out."""
    graph = _Graph()
    x = graph.add("Cast", INPUT, to=TensorProto.FLOAT)
    x = graph.add("Mul", x, graph.weight(np.array(1 / 255, np.float32)))
    x = graph.add("Transpose", x, perm=[0, 3, 1, 2])
    x = graph.add("Relu", graph.conv(x, (3, 64), kernel=7, stride=2))
    x = graph.add("MaxPool", x, kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1])
    given = 64
    for blocks, inner, outer, stride in _STAGES:
        for block in range(blocks):
            x = graph.bottleneck(x, (given, inner, outer), stride=stride if block == 0 else 1)
            given = outer
    x = graph.add("Flatten", graph.add("GlobalAveragePool", x))
    bias = graph.weight(np.zeros(CLASSES, np.float32))
    x = graph.add("Gemm", x, graph.random(given, CLASSES, fan_in=given), bias)
    graph.add("Softmax", x, output=OUTPUT)
    inputs = [helper.make_tensor_value_info(INPUT, TensorProto.UINT8, ["n", SIDE, SIDE, 3])]
    outputs = [helper.make_tensor_value_info(OUTPUT, TensorProto.FLOAT, ["n", CLASSES])]
    whole = helper.make_graph(graph.nodes, "resnet50", inputs, outputs, graph.weights)
    return helper.make_model(whole, opset_imports=[helper.make_opsetid("", _OPSET)], ir_version=_IR_VERSION)


class _RandomPictures(CalibrationDataReader):  # type: ignore[misc] # onnxruntime carries no types
    def __init__(self) -> None:
        self._pictures = iter(random_pictures(2))

    def get_next(self) -> dict[str, NDArray[np.uint8]] | None:
        picture = next(self._pictures, None)
        return None if picture is None else {INPUT: picture}


def random_pictures(count: int) -> Iterator[NDArray[np.uint8]]:
    """Yield pictures of noise, (1, 224, 224, 3)."""
    random = np.random.default_rng(1)
    for _ in range(count):
        yield random.integers(0, 256, size=(1, SIDE, SIDE, 3), dtype=np.uint8)


def write_fp32(path: Path) -> None:
    onnx.save(resnet50(), path)


def write_int8(path: Path) -> None:
    """Write the statically quantised model."""
    fp32 = path.with_suffix(".fp32.onnx")
    write_fp32(fp32)
    logging.disable(logging.WARNING)  # it advises a pass that finds nothing to do in this graph
    quantize_static(
        fp32,
        path,
        _RandomPictures(),
        quant_format=QuantFormat.QDQ,
        per_channel=True,
        activation_type=QuantType.QUInt8,
        weight_type=QuantType.QInt8,
    )
