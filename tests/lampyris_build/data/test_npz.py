from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lampyris_build.data.npz import read_npz
from lampyris_build.errors import DatasetBroken, DatasetMissing
from lampyris_build.recipe import NpzDataset

PICTURES = np.random.default_rng(0).integers(0, 256, (4, 6, 5), dtype=np.uint8)
VECTORS = np.arange(8.0).reshape(4, 2)


def saved(tmp_path: Path, **arrays: Any) -> NpzDataset:
    path = tmp_path / "data.npz"
    np.savez_compressed(path, **arrays)
    return NpzDataset(path=str(path))


def test_pictures_without_channels_get_one(tmp_path: Path) -> None:
    source = read_npz(saved(tmp_path, x_train=PICTURES, y_train=[0, 1, 0, 1]))

    np.testing.assert_array_equal(source.samples.inputs, PICTURES[..., np.newaxis])
    assert source.test is None


def test_vectors_become_float32(tmp_path: Path) -> None:
    source = read_npz(saved(tmp_path, x_train=VECTORS, y_train=[0, 1, 0, 1]))

    assert source.samples.inputs.dtype == np.float32
    np.testing.assert_array_equal(source.samples.inputs, VECTORS)


def test_words_as_labels_name_the_classes(tmp_path: Path) -> None:
    source = read_npz(
        saved(
            tmp_path,
            x_train=VECTORS,
            y_train=["dog", "cat", "dog", "cat"],
            x_test=VECTORS[:1],
            y_test=["dog"],
        )
    )

    assert source.classes == ("cat", "dog")
    np.testing.assert_array_equal(source.samples.labels, [1, 0, 1, 0])
    assert source.test is not None
    np.testing.assert_array_equal(source.test.labels, [1])


@pytest.mark.parametrize(
    ("arrays", "sentence"),
    [
        ({"x": VECTORS}, "it has no x_train; it has x"),
        ({"x_train": VECTORS, "y_train": [0, 1, 0, 1], "x_test": VECTORS}, "it has no y_test"),
        ({"x_train": PICTURES / 255, "y_train": [0, 1, 0, 1]}, "x_train is float64 .* pictures are uint8"),
        ({"x_train": VECTORS, "y_train": [0.0, 1, 0, 1]}, "labels are integers or words"),
        ({"x_train": VECTORS, "y_train": [0, 1]}, "4 inputs, but 2 labels"),
        ({"x_train": VECTORS, "y_train": [1, 1, 1, 1]}, "a single class"),
        ({"x_train": VECTORS[:, :0], "y_train": [0, 1, 0, 1]}, r"shape \(0,\), which holds nothing"),
        ({"x_train": VECTORS * np.nan, "y_train": [0, 1, 0, 1]}, "holds NaN or infinity"),
        (
            {"x_train": VECTORS, "y_train": [0, 1, 0, 1], "x_test": VECTORS[:1], "y_test": [2]},
            "class '2' has no sample to learn from",
        ),
    ],
)
def test_unfit_arrays_are_told(tmp_path: Path, arrays: dict[str, Any], sentence: str) -> None:
    dataset = saved(tmp_path, **arrays)

    with pytest.raises(DatasetBroken, match=sentence):
        read_npz(dataset)


def test_pickled_objects_are_never_loaded(tmp_path: Path) -> None:
    dataset = saved(tmp_path, x_train=np.array([{}, {}], dtype=object), y_train=[0, 1])

    with pytest.raises(DatasetBroken, match="plain arrays"):
        read_npz(dataset)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 cut short", b"x" * 100])
def test_broken_archive_is_told(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "data.npz"
    path.write_bytes(content)

    with pytest.raises(DatasetBroken, match=r"no whole \.npz"):
        read_npz(NpzDataset(path=str(path)))


def test_missing_archive_is_told(tmp_path: Path) -> None:
    with pytest.raises(DatasetMissing, match="x_train and y_train"):
        read_npz(NpzDataset(path=str(tmp_path / "none.npz")))


def test_encrypted_archive_is_told(tmp_path: Path) -> None:
    dataset = saved(tmp_path, x_train=VECTORS, y_train=[0, 1, 0, 1])
    path = Path(dataset.path)
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
        read_npz(dataset)
