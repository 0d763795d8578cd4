from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lampyris_build.data.dataset import Feature
from lampyris_build.data.npz import read_npz
from lampyris_build.errors import DatasetBroken, DatasetMissing

PICTURES = np.random.default_rng(0).integers(0, 256, (4, 6, 5), dtype=np.uint8)
VECTORS = np.arange(8.0).reshape(4, 2)


def saved(tmp_path: Path, **arrays: Any) -> Path:
    path = tmp_path / "data.npz"
    np.savez_compressed(path, **arrays)
    return path


def test_pictures_without_channels_get_one(tmp_path: Path) -> None:
    source = read_npz(saved(tmp_path, x_train=PICTURES, y_train=[0, 1, 0, 1]))

    np.testing.assert_array_equal(source.samples.inputs["image"], PICTURES[..., np.newaxis])
    assert source.test is None


def test_vectors_become_float32(tmp_path: Path) -> None:
    source = read_npz(saved(tmp_path, x_train=VECTORS, y_train=[0, 1, 0, 1]))

    vectors = source.samples.inputs["features"]
    assert vectors.dtype == np.float32
    np.testing.assert_array_equal(vectors, VECTORS)


def test_floating_point_numbers_of_rank_three_are_series(tmp_path: Path) -> None:
    source = read_npz(saved(tmp_path, x_train=PICTURES / 255, y_train=[0, 1, 0, 1]))

    assert source.features == (Feature(name="series", kind="series", shape=(6, 5)),)


def test_targets_may_be_left_out(tmp_path: Path) -> None:
    source = read_npz(saved(tmp_path, x_train=VECTORS, x_test=VECTORS[:1]))

    assert source.samples.targets is None
    assert source.test is not None


@pytest.mark.parametrize(
    ("arrays", "sentence"),
    [
        ({"x": VECTORS}, "it has no x_train; it has x"),
        ({"x_train": VECTORS, "y_train": [0, 1, 0, 1], "x_test": VECTORS}, "it has no y_test"),
        (
            {"x_train": VECTORS[0], "y_train": [0, 1]},
            r"x_train is float64 of shape \(2,\); pictures are uint8",
        ),
        ({"x_train": VECTORS, "y_train": VECTORS.astype(str)}, "targets are numbers or words"),
        (
            {"x_train": PICTURES, "y_train": [0, 1, 0, 1], "x_test": VECTORS[:1], "y_test": [1]},
            "x_train is image .* x_test is vector",
        ),
    ],
)
def test_unfit_arrays_are_told(tmp_path: Path, arrays: dict[str, Any], sentence: str) -> None:
    path = saved(tmp_path, **arrays)

    with pytest.raises(DatasetBroken, match=sentence):
        read_npz(path)


def test_pickled_objects_are_never_loaded(tmp_path: Path) -> None:
    path = saved(tmp_path, x_train=np.array([{}, {}], dtype=object), y_train=[0, 1])

    with pytest.raises(DatasetBroken, match="plain arrays"):
        read_npz(path)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 cut short", b"x" * 100])
def test_broken_archive_is_told(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "data.npz"
    path.write_bytes(content)

    with pytest.raises(DatasetBroken, match=r"no whole \.npz"):
        read_npz(path)


def test_missing_archive_is_told(tmp_path: Path) -> None:
    with pytest.raises(DatasetMissing, match="x_train and y_train"):
        read_npz(tmp_path / "none.npz")


def test_encrypted_archive_is_told(tmp_path: Path) -> None:
    path = saved(tmp_path, x_train=VECTORS, y_train=[0, 1, 0, 1])
    data = path.read_bytes()
    # The flag of encryption, in the local and in the central header of each member.
    for magic, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        parts = data.split(magic)
        at = offset - len(magic)
        data = magic.join(
            [parts[0], *(part[:at] + bytes([part[at] | 1]) + part[at + 1 :] for part in parts[1:])]
        )
    path.write_bytes(data)

    with pytest.raises(DatasetBroken, match="encrypted"):
        read_npz(path)
