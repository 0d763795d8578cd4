import zipfile
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lampyris.domain.images import decode_image
from lampyris.domain.signature import ImageSpec
from lampyris_build.data import image_folder
from lampyris_build.data.dataset import Source
from lampyris_build.errors import DatasetBroken, DatasetMissing
from lampyris_build.recipe.sources import ImagesSource


def read_images(source: ImagesSource) -> Source:
    return image_folder.read_images(source, Path(source.path))


def picture(color: tuple[int, int, int], size: tuple[int, int] = (8, 6), form: str = "PNG") -> bytes:
    buffer = BytesIO()
    Image.new("RGB", size, color).save(buffer, form)
    return buffer.getvalue()


FILES = {
    "cats/a.png": picture((255, 0, 0)),
    "cats/b.jpg": picture((250, 0, 0), (16, 12), "JPEG"),
    "dogs/a.png": picture((0, 0, 255)),
    "dogs/notes.txt": b"not a picture",
}


def folder_of(root: Path, files: dict[str, bytes]) -> ImagesSource:
    root.mkdir()
    for name, data in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return ImagesSource(path=str(root))


def zip_of(path: Path, files: dict[str, bytes]) -> ImagesSource:
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return ImagesSource(path=str(path))


def test_folders_name_the_classes_and_the_first_picture_sets_the_size(tmp_path: Path) -> None:
    source = read_images(folder_of(tmp_path / "pets", FILES))

    assert source.classes == ("cats", "dogs")
    assert source.samples.inputs["image"].shape == (3, 6, 8, 3)
    np.testing.assert_array_equal(source.samples.targets, [0, 0, 1])
    np.testing.assert_array_equal(source.samples.inputs["image"][2], np.broadcast_to([0, 0, 255], (6, 8, 3)))


def test_zip_reads_as_the_folder_does_and_nothing_is_unpacked(tmp_path: Path) -> None:
    folder = read_images(folder_of(tmp_path / "pets", FILES))

    zipped = read_images(
        zip_of(tmp_path / "pets.zip", {f"pets/{name}": data for name, data in FILES.items()})
    )

    assert zipped.digest == folder.digest
    assert sorted(path.name for path in tmp_path.iterdir()) == ["pets", "pets.zip"]


def test_recipe_sets_size_and_channels_as_serving_would(tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "pets", FILES)

    source = read_images(ImagesSource(path=folder.path, height=3, width=5, channels=1))

    spec = ImageSpec(input="image", height=3, width=5, channels=1)
    np.testing.assert_array_equal(source.samples.inputs["image"][1], decode_image(FILES["cats/b.jpg"], spec))


def test_test_folder_becomes_the_test_set(tmp_path: Path) -> None:
    files = {f"{part}/{name}": data for part in ("train", "test") for name, data in FILES.items()}

    source = read_images(folder_of(tmp_path / "pets", files))

    assert len(source.samples) == 3
    assert source.test is not None
    assert len(source.test) == 3


def test_pictures_may_have_no_classes(tmp_path: Path) -> None:
    source = read_images(
        folder_of(tmp_path / "pets", {"train/a.png": FILES["cats/a.png"], "test/b.png": FILES["dogs/a.png"]})
    )

    assert source.classes is None
    assert source.samples.targets is None
    assert source.test is not None
    assert len(source.samples) == len(source.test) == 1


def test_what_macos_adds_to_a_zip_is_left_out(tmp_path: Path) -> None:
    extra = {"__MACOSX/cats/._a.png": b"x", "cats/._a.png": b"x"}

    source = read_images(zip_of(tmp_path / "pets.zip", {**FILES, **extra}))

    assert len(source.samples) == 3


def test_what_hidden_folders_hold_is_left_out(tmp_path: Path) -> None:
    extra = {f"{hidden}/a.png": FILES["cats/a.png"] for hidden in (".ipynb_checkpoints", "cats/.thumbnails")}

    source = read_images(folder_of(tmp_path / "pets", {**FILES, **extra}))

    assert source.classes == ("cats", "dogs")
    assert len(source.samples) == 3


def test_zip_may_name_its_members_from_here(tmp_path: Path) -> None:
    dotted = {f"./{name}": data for name, data in FILES.items()}

    source = read_images(zip_of(tmp_path / "pets.zip", dotted))

    assert source.digest == read_images(folder_of(tmp_path / "pets", FILES)).digest


def test_picture_with_too_many_pixels_is_named(tmp_path: Path) -> None:
    buffer = BytesIO()
    Image.new("1", (8001, 8001)).save(buffer, "PNG")
    dataset = folder_of(tmp_path / "pets", {**FILES, "dogs/b.png": buffer.getvalue()})

    with pytest.raises(DatasetBroken, match=r"dogs/b\.png: .*Send a smaller one"):
        read_images(dataset)


@pytest.mark.parametrize(
    ("files", "sentence"),
    [
        ({**FILES, "dogs/b.png": b"GIF89a"}, r"dogs/b\.png: .*not an image"),
        ({**FILES, "dogs/b.png": picture((0, 0, 0))[:45]}, r"dogs/b\.png: .*damaged"),
        ({**FILES, "c.png": picture((0, 0, 0))}, r"c\.png is in no class, but others are"),
        ({f"test/{name}": data for name, data in FILES.items()}, "none for training"),
    ],
    ids=["no-image", "cut-short", "no-class", "no-training"],
)
def test_broken_folder_is_told(tmp_path: Path, files: dict[str, bytes], sentence: str) -> None:
    dataset = folder_of(tmp_path / "pets", files)

    with pytest.raises(DatasetBroken, match=sentence):
        read_images(dataset)


def test_more_pixels_than_fit_into_memory_are_refused_before_they_are_read(tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "pets", FILES)

    with pytest.raises(DatasetBroken, match=r"Lower dataset\.height"):
        read_images(ImagesSource(path=folder.path, height=60_000, width=60_000))


def test_zip_that_is_none_is_told(tmp_path: Path) -> None:
    path = tmp_path / "pets.zip"
    path.write_bytes(b"not a zip")

    with pytest.raises(DatasetBroken, match="it is no zip"):
        read_images(ImagesSource(path=str(path)))


@pytest.mark.parametrize(
    ("magic", "offset", "value", "sentence"),
    [
        (b"PK\x01\x02", 6, 200, "it is no zip"),  # the version that it takes to read a member
        (b"PK\x05\x06", 19, 127, "cannot be unzipped|it is no zip"),  # where the list of members begins
    ],
    ids=["version", "offset"],
)
def test_zip_with_a_damaged_list_is_told(
    tmp_path: Path, magic: bytes, offset: int, value: int, sentence: str
) -> None:
    dataset = zip_of(tmp_path / "pets.zip", FILES)
    path = Path(dataset.path)
    data = bytearray(path.read_bytes())
    data[data.index(magic) + offset] = value
    path.write_bytes(data)

    with pytest.raises(DatasetBroken, match=sentence):
        read_images(dataset)


@pytest.mark.parametrize("name", ["nowhere", "empty"])
def test_place_without_pictures_is_told_with_the_layout(tmp_path: Path, name: str) -> None:
    (tmp_path / "empty").mkdir()

    with pytest.raises(DatasetMissing, match="a folder for each class"):
        read_images(ImagesSource(path=str(tmp_path / name)))
