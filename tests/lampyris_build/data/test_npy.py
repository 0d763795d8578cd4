from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lampyris_build.data.npy import read_npy
from lampyris_build.errors import DatasetBroken, DatasetMissing

ROWS = np.arange(12, dtype=np.float32).reshape(4, 3)


def saved(path: Path, array: Any) -> Path:
    np.save(path, array)
    return path


def test_array_stays_on_disk_and_is_not_changed(tmp_path: Path) -> None:
    path = saved(tmp_path / "x.npy", ROWS)

    source = read_npy(path, saved(tmp_path / "y.npy", [0, 1, 0, 1]))

    inputs = source.samples.inputs["features"]
    assert isinstance(inputs, np.memmap)
    np.testing.assert_array_equal(inputs, ROWS)
    np.testing.assert_array_equal(source.samples.targets, [0, 1, 0, 1])
    inputs[:] = 0
    np.testing.assert_array_equal(np.load(path), ROWS)


@pytest.mark.parametrize("dtype", [np.float64, np.float16, np.int64])
def test_other_numbers_become_float32(tmp_path: Path, dtype: Any) -> None:
    inputs = read_npy(saved(tmp_path / "x.npy", ROWS.astype(dtype)), None).samples.inputs["features"]

    assert inputs.dtype == np.float32
    np.testing.assert_array_equal(inputs, ROWS)


def test_pixels_are_pictures(tmp_path: Path) -> None:
    source = read_npy(saved(tmp_path / "x.npy", np.zeros((5, 4, 3), np.uint8)), None)

    assert source.features[0].shape == (4, 3, 1)
    assert source.samples.inputs["image"].shape == (5, 4, 3, 1)


@pytest.mark.parametrize(
    ("array", "sentence"),
    [
        (np.array([{}, {}], object), "no whole .npy file of plain values"),
        (np.array(["a", "b"]), "pictures are uint8"),
        (np.float32(1), "a single value"),
    ],
    ids=["pickled", "words", "scalar"],
)
def test_unfit_array_is_told(tmp_path: Path, array: Any, sentence: str) -> None:
    with pytest.raises(DatasetBroken, match=sentence):
        read_npy(saved(tmp_path / "x.npy", array), None)


def test_file_that_was_cut_short_is_told(tmp_path: Path) -> None:
    path = saved(tmp_path / "x.npy", ROWS)
    path.write_bytes(path.read_bytes()[:-5])

    with pytest.raises(DatasetBroken, match=r"no whole \.npy"):
        read_npy(path, None)


def test_archive_is_told_from_an_array(tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", x=ROWS)

    with pytest.raises(DatasetBroken, match='source = "npz"'):
        read_npy(tmp_path / "x.npz", None)


def test_missing_array_is_told(tmp_path: Path) -> None:
    with pytest.raises(DatasetMissing, match=r"an \.npy file"):
        read_npy(tmp_path / "none.npy", None)
