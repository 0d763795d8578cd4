"""4-bit weights of matrix products, in blocks with a scale each; activations stay in fp32.

It suits networks whose bytes are in matrix products, as in Transformers and wide layers. onnxruntime
widens the weights block by block while it multiplies.

Source: Dettmers and Zettlemoyer 2023 (the case for 4-bit precision); onnxruntime's MatMulNBits.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from lampyris_build.compression.graph import prepared, replace_nodes
from lampyris_build.recipe.compression import Int4

_DOMAIN: Final = "com.microsoft"
_MATRIX: Final = 2  # dimensions


def int4(path: Path, step: Int4, out: Path) -> None:
    """Write a version of the model at `out` whose matrix products by a constant have weights of 4 bits."""
    model = prepared(path)
    replace_nodes(model.graph, _nodes(model.graph, step.block))
    if _DOMAIN not in {one.domain for one in model.opset_import}:
        model.opset_import.append(helper.make_opsetid(_DOMAIN, 1))
    onnx.save(model, out)


def _nodes(graph: onnx.GraphProto, block: int) -> Iterator[onnx.NodeProto]:
    constants = {one.name: one for one in graph.initializer}
    for node in list(graph.node):
        weights_KN = _weights(node, constants)
        if weights_KN is None:
            yield node
            continue
        names = [f"{node.name}_steps", f"{node.name}_scales"]
        steps, scales = pack(weights_KN, block)
        graph.initializer.append(numpy_helper.from_array(steps, names[0]))
        graph.initializer.append(numpy_helper.from_array(scales, names[1]))
        rows, columns = weights_KN.shape
        # Without a bias, an empty name stands for each of the inputs that may be left out before it.
        yield helper.make_node(
            "MatMulNBits",
            [node.input[0], *names, *(["", "", bias] if (bias := "".join(node.input[2:])) else [])],
            node.output,
            domain=_DOMAIN,
            K=rows,
            N=columns,
            bits=4,
            block_size=block,
        )


def pack(weights_KN: NDArray[np.float32], block: int) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """Round weights to 16 steps around 0 in blocks along K, two to a byte, the earlier in the lower half.

    The scale's sign is such that the largest weight of a block is -8 steps, which are one more than there are
    on the other side. Shapes: (K, N) -> (N, blocks, block / 2), (N * blocks,).
    """
    rows, columns = weights_KN.shape
    blocks = -(-rows // block)
    padded_NK = np.zeros((columns, blocks * block), np.float32)
    padded_NK[:, :rows] = weights_KN.T
    blocks_NBk = padded_NK.reshape(columns, blocks, block)
    largest_NB1 = np.take_along_axis(blocks_NBk, np.abs(blocks_NBk).argmax(axis=2, keepdims=True), axis=2)
    scales_NB1 = largest_NB1 / -8
    steps_NBk = np.round(blocks_NBk / np.where(scales_NB1 == 0, 1, scales_NB1)).clip(-8, 7) + 8
    steps_NBk = steps_NBk.astype(np.uint8)
    return steps_NBk[..., 0::2] | steps_NBk[..., 1::2] << 4, scales_NB1.astype(np.float32).reshape(-1)


def _weights(node: onnx.NodeProto, constants: Mapping[str, onnx.TensorProto]) -> NDArray[np.float32] | None:
    """Return the weights (K, N) of a product by a constant matrix; None if the node is no such product."""
    if node.op_type not in {"MatMul", "Gemm"} or node.input[1] not in constants:
        return None
    weights = numpy_helper.to_array(constants[node.input[1]])
    settings = {one.name: helper.get_attribute_value(one) for one in node.attribute}
    plain = not settings.get("transA", 0) and settings.get("alpha", 1.0) == settings.get("beta", 1.0) == 1.0
    if not plain or weights.dtype != np.float32 or weights.ndim != _MATRIX:
        return None
    return weights.T if settings.get("transB", 0) else weights
