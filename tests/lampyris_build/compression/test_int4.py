from collections.abc import Callable
from pathlib import Path
from typing import Literal

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray

from lampyris_build.compression.int4 import int4, pack
from lampyris_build.evaluation.session import open_session, run
from lampyris_build.recipe.compression import Int4

# A product with a bias and one without, of widths that fill no whole number of blocks.
PRODUCTS = """(float[n, 40] x) => (float[n, 5] y) {
    first = Gemm <transB=1> (x, weights, bias)
    positive = Relu(first)
    y = MatMul(positive, others)
}"""


def constants() -> dict[str, NDArray[np.float32]]:
    rng = np.random.default_rng(0)
    shapes = {"weights": (24, 40), "bias": (24,), "others": (24, 5)}
    return {name: rng.standard_normal(shape).astype(np.float32) for name, shape in shapes.items()}


def unpacked(weights_KN: NDArray[np.float32], block: int) -> NDArray[np.float32]:
    """Return the weights that `pack` has left of others."""
    packed, scales = pack(weights_KN, block)
    steps = (
        np.stack([packed & 15, packed >> 4], axis=-1).reshape(*packed.shape[:2], -1).astype(np.float32) - 8
    )
    rounded = (steps * scales.reshape(*packed.shape[:2], 1)).reshape(len(packed), -1)
    return rounded[:, : len(weights_KN)].T


@pytest.mark.parametrize("block", [16, 32])
def test_no_weight_moves_by_more_than_a_step(block: int) -> None:
    weights_KN = np.random.default_rng(0).standard_normal((50, 7)).astype(np.float32)

    rounded_KN = unpacked(weights_KN, block)

    # Half a step, or a whole one where the side with a step less ends.
    assert np.abs(rounded_KN - weights_KN).max() <= np.abs(weights_KN).max() / 8
    assert np.abs(rounded_KN - weights_KN).mean() < np.abs(weights_KN).max() / 32


def test_the_largest_weight_of_a_block_is_kept(tmp_path: Path) -> None:
    weights_KN = np.array([[0.3, 0.1], [-0.8, 0.2], [0.1, 0.4], [0, 0]], np.float32)

    rounded_KN = unpacked(weights_KN, 16)

    np.testing.assert_allclose(rounded_KN[[1, 2], [0, 1]], [-0.8, 0.4], rtol=1e-6)


def test_a_block_of_zeros_stays_zero() -> None:
    np.testing.assert_array_equal(unpacked(np.zeros((20, 2), np.float32), 16), 0)


@pytest.mark.parametrize("block", [16, 32, 64, 128])
def test_onnxruntime_multiplies_by_the_weights_that_were_packed(
    written: Callable[..., Path], tmp_path: Path, block: Literal[16, 32, 64, 128]
) -> None:
    x = np.random.default_rng(1).standard_normal((3, 40)).astype(np.float32)
    path = written(PRODUCTS, **constants())

    int4(path, Int4(block=block), tmp_path / "int4.onnx")

    weights, bias, others = constants().values()
    first = np.maximum(x @ unpacked(weights.T, block) + bias, 0)
    (answers,) = run(open_session(tmp_path / "int4.onnx"), {"x": x})
    np.testing.assert_allclose(answers, first @ unpacked(others, block), atol=1e-4, rtol=1e-4)


def test_products_stay_packed_after_publishing(
    written: Callable[..., Path], served: Callable[[Path], onnx.GraphProto], tmp_path: Path
) -> None:
    path = written(PRODUCTS, **constants())

    int4(path, Int4(), tmp_path / "int4.onnx")

    operators = [node.op_type for node in served(tmp_path / "int4.onnx").node]
    assert operators.count("MatMulNBits") == 2
    assert not {"Gemm", "MatMul"} & set(operators)
