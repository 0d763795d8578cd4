"""Fully connected networks with random weights: FP32 (N, width) in, probabilities (N, classes) out."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

INPUT = "features"
OUTPUT = "probabilities"
_OPSET = 17
_IR_VERSION = 8


def perceptron(widths: Sequence[int], *, seed: int = 0) -> onnx.ModelProto:
    """Make a network whose layers have these widths, the input's first and the number of classes last."""
    random = np.random.default_rng(seed)
    nodes, weights, x = [], [], INPUT
    for layer, (given, wide) in enumerate(pairwise(widths)):
        values = random.normal(scale=(2 / given) ** 0.5, size=(given, wide))
        weights.append(numpy_helper.from_array(values.astype(np.float32), f"w{layer}"))
        nodes.append(helper.make_node("MatMul", [x, f"w{layer}"], [f"h{layer}"]))
        x = f"h{layer}"
        if layer < len(widths) - 2:
            nodes.append(helper.make_node("Relu", [x], [f"r{layer}"]))
            x = f"r{layer}"
    nodes.append(helper.make_node("Softmax", [x], [OUTPUT]))
    inputs = [helper.make_tensor_value_info(INPUT, TensorProto.FLOAT, ["n", widths[0]])]
    outputs = [helper.make_tensor_value_info(OUTPUT, TensorProto.FLOAT, ["n", widths[-1]])]
    whole = helper.make_graph(nodes, "perceptron", inputs, outputs, weights)
    return helper.make_model(whole, opset_imports=[helper.make_opsetid("", _OPSET)], ir_version=_IR_VERSION)
