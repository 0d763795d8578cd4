from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from lampyris_build.evaluation.session import open_session, run


@pytest.mark.parametrize("count", [1, 255, 256, 257, 1000])
def test_rows_are_answered_in_their_order(linear: Callable[..., Path], count: int) -> None:
    features = np.arange(2 * count, dtype=np.float32).reshape(count, 2)

    (answer,) = run(open_session(linear(2 * np.eye(2))), {"features": features})

    np.testing.assert_array_equal(answer, 2 * features)


@pytest.mark.parametrize("count", [1, 3, 4, 5, 12])
def test_model_of_fixed_batch_answers_any_number_of_rows(linear: Callable[..., Path], count: int) -> None:
    features = np.arange(2 * count, dtype=np.float32).reshape(count, 2)

    (answer,) = run(open_session(linear(2 * np.eye(2), rows=4)), {"features": features})

    np.testing.assert_array_equal(answer, 2 * features)


def test_strings_and_numbers_go_in_by_name_and_come_out_in_order(echo: Path) -> None:
    inputs: dict[str, NDArray[Any]] = {
        "number": np.arange(3, dtype=np.float32),
        "unused": np.zeros(3),
        "word": np.array(["a", "", "ü"], object),
    }

    words, numbers = run(open_session(echo), inputs)

    assert words.tolist() == ["a", "", "ü"]
    assert numbers.tolist() == [0.0, 1.0, 2.0]


def test_memory_mapped_rows_are_read_batch_by_batch(linear: Callable[..., Path], tmp_path: Path) -> None:
    np.save(tmp_path / "features.npy", np.ones((600, 2), np.float32))
    features = np.load(tmp_path / "features.npy", mmap_mode="r")

    (answer,) = run(open_session(linear(2 * np.eye(2))), {"features": features})

    assert answer.shape == (600, 2)
    assert (answer == 2).all()
