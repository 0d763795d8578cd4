from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto

from lampyris_build.compression.fp16 import fp16
from lampyris_build.data.dataset import Dataset
from lampyris_build.evaluation.session import open_session, run


def test_weights_take_half_the_bytes_and_answers_stay(fp32: Path, dataset: Dataset, tmp_path: Path) -> None:
    fp16(fp32, tmp_path / "fp16.onnx")

    constants = onnx.load(tmp_path / "fp16.onnx").graph.initializer
    assert all(
        one.data_type == TensorProto.FLOAT16 for one in constants if len(one.dims) > 1 and one.dims[0] > 1
    )
    before, after = (
        run(open_session(path), dataset.test.inputs)[0] for path in (fp32, tmp_path / "fp16.onnx")
    )
    assert after.dtype == np.float32
    np.testing.assert_allclose(before, after, atol=5e-3)


def test_weights_are_still_narrow_after_publishing_has_folded_constants(
    fp32: Path, served: Callable[[Path], onnx.GraphProto], tmp_path: Path
) -> None:
    fp16(fp32, tmp_path / "fp16.onnx")

    graph = served(tmp_path / "fp16.onnx")

    wide = [one.name for one in graph.initializer if one.data_type == TensorProto.FLOAT and len(one.dims) > 1]
    assert all(one.dims[0] == 1 for one in graph.initializer if one.name in wide)


def test_raw_values_and_answers_may_be_beyond_16_bits(written: Callable[..., Path], tmp_path: Path) -> None:
    x = np.array([[1e6, -2e6, 3e6, 0]], np.float32)
    path = written(
        """(float[n, 4] x) => (float[n, 3] y) {
            small = Div(x, million)
            product = MatMul(small, weights)
            y = Mul(product, million)
        }""",
        million=np.array(1e6, np.float32),
        weights=np.random.default_rng(0).standard_normal((4, 3)).astype(np.float32),
    )

    fp16(path, tmp_path / "fp16.onnx")

    before, after = (run(open_session(one), {"x": x})[0] for one in (path, tmp_path / "fp16.onnx"))
    np.testing.assert_allclose(before, after, rtol=5e-3)


def test_indices_and_lengths_of_series_keep_their_types(written: Callable[..., Path], tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    shapes = {"words": (50, 16), "into": (1, 96, 16), "across": (1, 96, 32)}
    path = written(
        """(int64[t, n] x, int32[n] lengths) => (float[one, n, 32] y) {
            vectors = Gather(words, x)
            states, y = GRU <hidden_size=32> (vectors, into, across, , lengths)
        }""",
        **{name: 0.3 * rng.standard_normal(shape).astype(np.float32) for name, shape in shapes.items()},
    )
    feed = {"x": rng.integers(0, 50, (6, 2)), "lengths": np.array([6, 3], np.int32)}

    fp16(path, tmp_path / "fp16.onnx")

    before, after = (open_session(one).run(None, feed)[0] for one in (path, tmp_path / "fp16.onnx"))
    np.testing.assert_allclose(before, after, atol=2e-3)
    assert (tmp_path / "fp16.onnx").stat().st_size < 0.6 * path.stat().st_size
