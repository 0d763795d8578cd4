from collections.abc import Callable
from pathlib import Path

import numpy as np

from lampyris_build.evaluation.memory import measure_memory


def test_model_takes_at_least_the_bytes_of_its_weights(linear: Callable[..., Path]) -> None:
    small, large = linear(np.eye(2)), linear(np.ones((2000, 2000)))  # 16 MB

    small_bytes = measure_memory(small, {"features": np.ones((1, 2), np.float32)})
    large_bytes = measure_memory(large, {"features": np.ones((1, 2000), np.float32)})

    assert large_bytes > 16_000_000
    assert small_bytes < large_bytes - 12_000_000


def test_rows_of_strings_are_run_too(echo: Path) -> None:
    inputs = {"number": np.ones(2, np.float32), "word": np.array(["a", "b"], object)}

    assert measure_memory(echo, inputs) > 0


def test_model_of_fixed_batch_is_run_with_as_many_rows(linear: Callable[..., Path]) -> None:
    assert measure_memory(linear(np.eye(2), rows=4), {"features": np.ones((1, 2), np.float32)}) > 0
