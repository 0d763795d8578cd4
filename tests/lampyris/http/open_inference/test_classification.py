import numpy as np
import pytest

from lampyris.domain.tensors import Array
from lampyris.http.open_inference.classification import top_classes


@pytest.mark.parametrize(
    ("values", "count", "labels", "expected"),
    [
        (np.array([1, 5, 10, 4], np.int64), 2, None, ["10:2", "5:1"]),
        (np.array([[0.5, 0.25]], np.float32), 1, ("a", "b"), [["0.500000:0:a"]]),
        (np.array([[0.5, 0.25]], np.float16), 9, ("a", "b"), [["0.500000:0:a", "0.250000:1:b"]]),
        (np.array([[0.5, 0.5]], np.float64), 2, ("a",), [["0.500000:0", "0.500000:1"]]),
        (np.array([0, 255, 7], np.uint8), 3, None, ["255:1", "7:2", "0:0"]),
        (np.array([-128, 127, 0], np.int8), 3, None, ["127:1", "0:2", "-128:0"]),
        (np.array([False, True]), 2, None, ["1:1", "0:0"]),
        (np.array([np.nan, -np.inf, 1.0]), 3, None, ["1.000000:2", "-inf:1", "nan:0"]),
        (np.empty((0, 3), np.float32), 2, None, []),
        (np.array(3.0), 2, None, ["3.000000:0"]),
        (np.array([[[1, 2], [3, 4]]], np.int32), 1, None, [["4:3"]]),
    ],
)
def test_the_highest_values_come_first(
    values: Array, count: int, labels: tuple[str, ...] | None, expected: list[object]
) -> None:
    assert top_classes(values, count, labels).tolist() == expected
