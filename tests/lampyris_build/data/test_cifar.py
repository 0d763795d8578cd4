import tarfile
from pathlib import Path

import numpy as np
import pytest

from lampyris_build.data.cifar import read_cifar
from lampyris_build.errors import DatasetBroken, DatasetMissing

RNG = np.random.default_rng(0)
PICTURES = RNG.integers(0, 256, (6, 3, 32, 32), dtype=np.uint8)


def rows(*labels: list[int]) -> bytes:
    """One row of CIFAR for each picture: its labels, and its pixels channel by channel."""
    return np.concatenate(
        [np.array(labels, np.uint8).T, PICTURES[: len(labels[0])].reshape(len(labels[0]), -1)], axis=1
    ).tobytes()


TEN = {f"data_batch_{number}.bin": rows([number, 0]) for number in range(1, 6)} | {
    "test_batch.bin": rows([9, 8, 7]),
    "batches.meta.txt": b"plane\ncar\nbird\ncat\ndeer\ndog\nfrog\nhorse\nship\ntruck\n\n",
    "readme.html": b"<html>",
}
HUNDRED = {
    "train.bin": rows([1, 2, 0], [11, 22, 0]),
    "test.bin": rows([3], [22]),
    "coarse_label_names.txt": b"fish\n",
    "fine_label_names.txt": "\n".join(f"fine{number}" for number in range(100)).encode(),
}


def folder_of(folder: Path, files: dict[str, bytes]) -> Path:
    folder.mkdir()
    for name, data in files.items():
        (folder / name).write_bytes(data)
    return folder


def test_ten_classes_are_read_as_pictures(tmp_path: Path) -> None:
    source = read_cifar(folder_of(tmp_path / "cifar", TEN))

    assert source.classes is not None
    assert source.classes[:2] == ("plane", "car")
    assert source.test is not None
    np.testing.assert_array_equal(source.samples.targets, [1, 0, 2, 0, 3, 0, 4, 0, 5, 0])
    np.testing.assert_array_equal(source.test.targets, [9, 8, 7])
    np.testing.assert_array_equal(source.test.inputs["image"], PICTURES[:3].transpose(0, 2, 3, 1))


def test_archive_is_read_as_the_folder_is_and_nothing_is_unpacked(tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "cifar", TEN)
    archive = tmp_path / "cifar.tar.gz"
    with tarfile.open(archive, "w:gz") as tar:
        tar.add(folder, "cifar-10-batches-bin")

    assert read_cifar(archive).digest == read_cifar(folder).digest
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cifar", "cifar.tar.gz"]


def test_hundred_classes_are_the_fine_ones(tmp_path: Path) -> None:
    source = read_cifar(folder_of(tmp_path / "cifar", HUNDRED))

    np.testing.assert_array_equal(source.samples.targets, [11, 22, 0])
    np.testing.assert_array_equal(source.samples.inputs["image"], PICTURES[:3].transpose(0, 2, 3, 1))
    assert source.classes is not None
    assert len(source.classes) == 100


def test_version_of_pickles_is_refused_unread(tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "cifar", {"data_batch_1": b"\x80\x04", "batches.meta": b"\x80\x04"})

    with pytest.raises(
        DatasetMissing, match=r"made of pickles, which are never read; looked for data_batch_1\.bin"
    ):
        read_cifar(folder)


@pytest.mark.parametrize(
    ("files", "sentence"),
    [
        ({}, "looked for data_batch_1.bin to data_batch_5.bin"),
        ({name: data for name, data in TEN.items() if name != "test_batch.bin"}, "it lacks test_batch.bin"),
    ],
)
def test_missing_files_are_named(tmp_path: Path, files: dict[str, bytes], sentence: str) -> None:
    with pytest.raises(DatasetMissing, match=sentence):
        read_cifar(folder_of(tmp_path / "cifar", files))


def test_file_that_was_cut_short_is_told(tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "cifar", TEN | {"data_batch_3.bin": rows([1, 2])[:-1]})

    with pytest.raises(
        DatasetBroken, match=r"data_batch_3\.bin has 6,145 bytes, which is no multiple of 3,073"
    ):
        read_cifar(folder)


@pytest.mark.parametrize("content", [b"", b"no archive", b"\x1f\x8b\x08\x00"])
def test_archive_that_is_none_is_told(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "cifar.tar.gz"
    path.write_bytes(content)

    with pytest.raises(DatasetBroken, match="it cannot be read"):
        read_cifar(path)


def test_missing_archive_is_told(tmp_path: Path) -> None:
    with pytest.raises(DatasetMissing, match="the binary version"):
        read_cifar(tmp_path / "none.tar.gz")
