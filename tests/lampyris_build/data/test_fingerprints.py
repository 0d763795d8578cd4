from typing import Any

import numpy as np
import pytest

from lampyris_build.data.fingerprints import fingerprints

RNG = np.random.default_rng(0)


@pytest.mark.parametrize(
    "values",
    [
        RNG.normal(size=50_000).astype(np.float32),
        np.arange(50_000),
        RNG.integers(0, 256, (5000, 4, 4, 3), dtype=np.uint8),
        np.array([f"word {place}" for place in range(5000)], object),
    ],
    ids=["numbers", "integers", "pictures", "words"],
)
def test_equal_samples_and_only_those_have_equal_numbers(values: Any) -> None:
    _, first = np.unique(values, axis=0 if values.ndim > 1 else None, return_index=True)

    numbers = fingerprints([values])

    assert len(np.unique(numbers)) == len(first)
    np.testing.assert_array_equal(fingerprints([values[::-1]]), numbers[::-1])


def test_every_array_counts_in_its_place() -> None:
    small, large = np.arange(100, dtype=np.float32), np.arange(100, 200, dtype=np.float32)

    assert not np.isin(fingerprints([small, large]), fingerprints([large, small])).any()
    assert not np.isin(fingerprints([small, large]), fingerprints([small, small])).any()


def test_no_samples_have_no_numbers() -> None:
    assert len(fingerprints([np.empty(0, np.float32), np.empty(0, object)])) == 0
