"""Which batch size is the fastest, on a machine whose time is told by hand."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest

from lampyris.batch.batch_size import Speeds
from lampyris.domain.tensors import Array


class Machine:
    """Takes as long for a run as `takes_s` says of its rows."""

    def __init__(self, takes_s: Callable[[int], float]) -> None:
        self.now_s = 0.0
        self._takes_s = takes_s

    def run(self, inputs: Mapping[str, Array]) -> None:
        self.now_s += self._takes_s(len(inputs["features"]))


@pytest.mark.parametrize(
    ("takes_s", "least", "most"),
    [
        (lambda rows: 8e-6 * rows, 1024, 4096),  # a light model: what a run costs besides is much of it
        (lambda rows: 8e-6 * rows if rows <= 64 else 8.2e-6 * rows, 256, 4096),
        (lambda rows: 1e-3 + 1e-5 * rows, 1024, 4096),
        (lambda rows: 1e-4 * rows if rows <= 16 else 2e-4 * rows, 16, 16),
    ],
)
def test_fastest_size_is_that_of_the_most_rows_in_a_time_with_what_a_run_costs_besides(
    publish_linear: Any, takes_s: Callable[[int], float], least: int, most: int
) -> None:
    machine = Machine(takes_s)
    speeds = Speeds(lambda: machine.now_s)
    sample = {"features": np.zeros((4, 8), np.float32)}

    speed = speeds.fastest(publish_linear(), sample, machine.run)

    assert least <= speed.batch_size <= most
    assert speed.rows_per_s <= speed.batch_size / takes_s(speed.batch_size)
