import gzip
import struct
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest

from lampyris_build.data.dataset import Feature
from lampyris_build.data.idx import read_idx
from lampyris_build.errors import DatasetBroken, DatasetMissing

RNG = np.random.default_rng(0)
TRAIN = RNG.integers(0, 256, (6, 5, 4), dtype=np.uint8)
TEST = RNG.integers(0, 256, (3, 5, 4), dtype=np.uint8)


def idx(values: np.ndarray) -> bytes:
    return bytes((0, 0, 8, values.ndim)) + struct.pack(f">{values.ndim}I", *values.shape) + values.tobytes()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "train-images-idx3-ubyte").write_bytes(idx(TRAIN))
    (tmp_path / "train-labels-idx1-ubyte").write_bytes(idx(np.array([0, 1, 2, 0, 1, 2], np.uint8)))
    (tmp_path / "t10k-images-idx3-ubyte.gz").write_bytes(gzip.compress(idx(TEST)))
    (tmp_path / "t10k-labels-idx1-ubyte.gz").write_bytes(gzip.compress(idx(np.array([2, 1, 0], np.uint8))))
    return tmp_path


def test_plain_and_gzipped_files_are_read_alike(folder: Path) -> None:
    source = read_idx(folder)

    assert source.features == (Feature(name="image", kind="image", shape=(5, 4, 1)),)
    assert source.test is not None
    assert source.test.targets is not None
    np.testing.assert_array_equal(source.samples.inputs["image"], TRAIN[..., np.newaxis])
    np.testing.assert_array_equal(source.test.inputs["image"], TEST[..., np.newaxis])
    np.testing.assert_array_equal(source.test.targets, [2, 1, 0])
    assert source.test.inputs["image"].flags.writeable, "torch warns of any other"


def test_archives_read_as_the_folder_does(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    archives = tmp_path_factory.mktemp("archives")
    with tarfile.open(archives / "mnist.tar.gz", "w:gz") as tar:
        tar.add(folder, "MNIST/raw")
    with zipfile.ZipFile(archives / "mnist.zip", "w") as archive:
        for path in folder.iterdir():
            archive.write(path, path.name)

    assert read_idx(archives / "mnist.tar.gz").digest == read_idx(folder).digest
    assert read_idx(archives / "mnist.zip").digest == read_idx(folder).digest


def test_missing_file_is_named_with_both_its_names(folder: Path) -> None:
    (folder / "train-labels-idx1-ubyte").unlink()

    with pytest.raises(DatasetMissing, match=r"train-labels-idx1-ubyte or train-labels-idx1-ubyte\.gz"):
        read_idx(folder)


def test_missing_folder_is_told(tmp_path: Path) -> None:
    with pytest.raises(DatasetMissing, match="looked for a folder, a zip or"):
        read_idx(tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "does not start as an IDX file"),
        (b"<html>not found</html>", "does not start as an IDX file"),
        (idx(TRAIN)[:-7], "promises 120 bytes, but it holds 113"),
        (idx(TRAIN) + b"x", "promises 120 bytes, but it holds more"),
        (bytes((0, 0, 8, 3)) + b"\xff" * 12, "more than 4,294,967,296 bytes"),
    ],
    ids=["empty", "html", "short", "long", "enormous"],
)
def test_broken_images_are_told(folder: Path, content: bytes, sentence: str) -> None:
    (folder / "train-images-idx3-ubyte").write_bytes(content)

    with pytest.raises(DatasetBroken, match=sentence):
        read_idx(folder)


def test_damaged_gzip_is_told(folder: Path) -> None:
    path = folder / "t10k-images-idx3-ubyte.gz"
    path.write_bytes(path.read_bytes()[:-12])

    with pytest.raises(DatasetBroken, match="cannot be read"):
        read_idx(folder)
