from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from lampyris_build.compression.dynamic_int8 import dynamic_int8
from lampyris_build.evaluation.session import open_session

# Words, an LSTM and a layer after it.
READER = """(int64[t, n] x) => (float[n, 3] y) {
    vectors = Gather(words, x)
    states, last, cell = LSTM <hidden_size=32> (vectors, into, across)
    flat = Squeeze(last, axis)
    y = Gemm <transB=1> (flat, head)
}"""


@pytest.fixture
def reader(written: Callable[..., Path]) -> Path:
    rng = np.random.default_rng(0)
    shapes = {"words": (50, 16), "into": (1, 128, 16), "across": (1, 128, 32), "head": (3, 32)}
    weights = {name: 0.3 * rng.standard_normal(shape).astype(np.float32) for name, shape in shapes.items()}
    return written(READER, **weights, axis=np.array([0]))


def test_words_cells_and_layers_have_8_bits(
    reader: Path, served: Callable[[Path], onnx.GraphProto], tmp_path: Path
) -> None:
    dynamic_int8(reader, tmp_path / "int8.onnx")

    operators = [node.op_type for node in served(tmp_path / "int8.onnx").node]
    assert "DynamicQuantizeLSTM" in operators
    assert not {"LSTM", "Gemm", "MatMul"} & set(operators)
    assert (tmp_path / "int8.onnx").stat().st_size < 0.6 * reader.stat().st_size


def test_answers_stay_near_those_of_fp32(reader: Path, tmp_path: Path) -> None:
    words = np.random.default_rng(1).integers(0, 50, (6, 4))

    dynamic_int8(reader, tmp_path / "int8.onnx")

    before, after = (open_session(one).run(None, {"x": words})[0] for one in (reader, tmp_path / "int8.onnx"))
    assert np.abs(before - after).max() < 0.05 * np.abs(before).max()


def test_weights_of_products_have_7_bits(fp32: Path, tmp_path: Path) -> None:
    dynamic_int8(fp32, tmp_path / "int8.onnx")

    constants = onnx.load(tmp_path / "int8.onnx").graph.initializer
    weights = [numpy_helper.to_array(one) for one in constants if one.data_type == onnx.TensorProto.INT8]
    assert max(int(np.abs(one.astype(np.int64)).max()) for one in weights if one.ndim > 1) == 64
