from pathlib import Path

import numpy as np
import pytest

from lampyris_build.preprocessing.statistics import medians, moments, pixel_moments

RNG = np.random.default_rng(0)


def test_medians_leave_missing_values_out() -> None:
    values = np.array([[1, 5], [np.nan, 7], [2, np.nan], [9, 6]], np.float32)

    assert medians(values).tolist() == [2, 6]


def test_median_of_nothing_but_missing_values_is_zero() -> None:
    assert medians(np.full((3, 1), np.nan, np.float32)).tolist() == [0]


@pytest.mark.parametrize("shape", [(5000, 3), (700, 2000, 3)])
def test_moments_are_numpys(shape: tuple[int, ...]) -> None:
    values = RNG.normal([1e4, -2, 0], [1, 10, 1e-3], shape).astype(np.float32)

    mean, std = moments(values, np.zeros(3, np.float32))

    rows = values.reshape(-1, 3).astype(np.float64)
    np.testing.assert_allclose(mean, rows.mean(axis=0), rtol=1e-6)
    np.testing.assert_allclose(std, rows.std(axis=0), rtol=1e-6)


def test_moments_of_pixels_are_those_of_the_whole_file(tmp_path: Path) -> None:
    pixels = np.lib.format.open_memmap(tmp_path / "x.npy", "w+", np.uint8, (1500, 32, 32, 3))
    pixels[:] = RNG.integers(0, [100, 200, 256], pixels.shape)

    mean, std = pixel_moments(pixels)

    np.testing.assert_allclose(mean, pixels.mean(axis=(0, 1, 2)), rtol=1e-6)
    np.testing.assert_allclose(std, pixels.std(axis=(0, 1, 2)), rtol=1e-6)


def test_deviation_of_black_pictures_counts_as_one() -> None:
    mean, std = pixel_moments(np.zeros((2, 3, 3, 1), np.uint8))

    assert (mean.tolist(), std.tolist()) == ([0], [1])


def test_moments_count_missing_values_as_what_fills_them() -> None:
    values = np.array([[1], [np.nan], [6]], np.float32)

    mean, std = moments(values, np.array([2], np.float32))

    assert mean.tolist() == [3]
    np.testing.assert_allclose(std, np.std([1, 2, 6]))


@pytest.mark.parametrize("constant", [0.0, 0.1, -3e7])
def test_deviation_of_a_constant_counts_as_one(constant: float) -> None:
    _, std = moments(np.full((1000, 1), constant, np.float32), np.zeros(1, np.float32))

    assert std.tolist() == [1]
