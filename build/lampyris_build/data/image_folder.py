"""Pictures in folders named after their classes, on disk or in a zip, which is read where it stands."""

import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Final

import numpy as np
from numpy.typing import NDArray

from lampyris.domain.images import MAX_PIXELS, decode_image
from lampyris.domain.signature import DYNAMIC, ImageSpec
from lampyris.errors import ImageTooLarge, InvalidImage
from lampyris_build.data.dataset import Feature, Samples, Source
from lampyris_build.data.spool import Spool
from lampyris_build.errors import DatasetBroken, DatasetMissing
from lampyris_build.recipe.sources import ImagesSource

SUFFIXES: Final = (".png", ".jpg", ".jpeg", ".webp")
_LAYOUT: Final = (
    "[train/ and test/, and in them] a folder for each class, with .png, .jpg or .webp files in it"
)
# No file of a picture is larger than its pixels as RGB, save for a little.
_MAX_FILE_BYTES: Final = 4 * MAX_PIXELS

# RuntimeError: a member is encrypted or of a later version; OSError: an offset is wrong.
_BROKEN_ZIP: Final = (zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError, UnicodeDecodeError)

Read = Callable[[str], bytes]


def read_images(dataset: ImagesSource, path: Path, like: tuple[Feature, ...] = ()) -> Source:
    """Read a folder or zip of [train|test/][class/]picture; all are brought to one size, as serving does.

    The size is the recipe's, or that of what was read before, or that of the first picture.

    Raises: DatasetMissing, DatasetBroken.
    """
    with _opened(path) as (names, read):
        train, test = _by_set(path, names)
        spec = _spec(path, dataset, like, train[0], read)
        if spec.height * spec.width > MAX_PIXELS:
            raise DatasetBroken(
                path=path,
                reason=f"a picture of {spec.height:,} x {spec.width:,} pixels has more than {MAX_PIXELS:,}. "
                "Lower dataset.height and dataset.width.",
            )
        classes = sorted({_class(name) for name in train + test} - {""})
        samples = _samples(path, train, classes, spec, read)
        test_samples = _samples(path, test, classes, spec, read) if test else None
    return Source(
        name=path.name,
        features=(Feature(name="image", kind="image", shape=(spec.height, spec.width, spec.channels)),),
        samples=samples,
        test=test_samples,
        classes=tuple(classes) or None,
    )


@contextmanager
def _opened(path: Path) -> Iterator[tuple[list[str], Read]]:
    """Give the names of all files below `path`, and the way to read one."""
    if path.is_dir():
        names = [file.relative_to(path).as_posix() for file in path.rglob("*") if file.is_file()]
        yield names, lambda name: _from_folder(path, name)
    elif path.is_file():
        try:
            archive = zipfile.ZipFile(path)
        except _BROKEN_ZIP:
            raise DatasetBroken(
                path=path, reason=f"it is no zip; a folder or a zip holds {_LAYOUT}."
            ) from None
        with archive:
            # Some tools write ./class/picture.png, which is class/picture.png from here on.
            members = {str(PurePosixPath(name)): name for name in archive.namelist()}
            yield list(members), lambda name: _from_zip(path, archive, members[name])
    else:
        raise DatasetMissing(path=path, wanted=f"looked for a folder or a zip of {_LAYOUT}.")


def _from_folder(folder: Path, name: str) -> bytes:
    path = folder / name
    _check_size(folder, name, path.stat().st_size)
    try:
        return path.read_bytes()
    except OSError as error:
        raise DatasetBroken(path=folder, reason=f"{name} cannot be read: {error.strerror}.") from None


def _from_zip(path: Path, archive: zipfile.ZipFile, name: str) -> bytes:
    _check_size(path, name, archive.getinfo(name).file_size)
    try:
        return archive.read(name)
    except _BROKEN_ZIP as error:
        raise DatasetBroken(path=path, reason=f"{name} cannot be unzipped: {error}.") from None


def _check_size(path: Path, name: str, size_bytes: int) -> None:
    if size_bytes > _MAX_FILE_BYTES:
        raise DatasetBroken(path=path, reason=f"{name} has {size_bytes:,} bytes, more than any picture.")


def _by_set(path: Path, names: list[str]) -> tuple[list[PurePosixPath], list[PurePosixPath]]:
    """Find the pictures for training and for test: those below a folder `test`, if there is one."""
    pictures = sorted(
        name
        for name in map(PurePosixPath, set(names))
        # macOS adds ._files and __MACOSX folders to what it zips; other tools keep copies in hidden folders.
        if name.suffix.lower() in SUFFIXES
        and not any(part.startswith(".") or part == "__MACOSX" for part in name.parts)
    )
    if not pictures:
        raise DatasetMissing(path=path, wanted=f"it holds no picture; looked for {_LAYOUT}.")
    without = [name for name in pictures if not _class(name)]
    if without and len(without) < len(pictures):
        raise DatasetBroken(
            path=path,
            reason=f"{without[0]} is in no class, but others are; a picture stands in a folder named after "
            "its class.",
        )
    test = [name for name in pictures if _is_test(name)]
    train = [name for name in pictures if not _is_test(name)]
    if not train:
        raise DatasetBroken(path=path, reason="it has pictures for test, but none for training.")
    return train, test


def _is_test(name: PurePosixPath) -> bool:
    return "test" in (name.parent.name, name.parent.parent.name)


def _class(name: PurePosixPath) -> str:
    """Return the folder that a picture is in; "" if that is none of a class."""
    return "" if name.parent.name in {"train", "test"} else name.parent.name


def _spec(
    path: Path, dataset: ImagesSource, like: tuple[Feature, ...], first: PurePosixPath, read: Read
) -> ImageSpec:
    """Take the size from the recipe, or from what was read before, or from the first picture."""
    spec = ImageSpec(input="", height=DYNAMIC, width=DYNAMIC, channels=dataset.channels)
    is_like_pictures = bool(like) and like[0].kind == "image"
    height, width, _ = like[0].shape if is_like_pictures else _decode(path, first, spec, read).shape
    return ImageSpec(
        input="",
        height=dataset.height or height,
        width=dataset.width or width,
        channels=dataset.channels,
    )


def _samples(
    path: Path, names: list[PurePosixPath], classes: list[str], spec: ImageSpec, read: Read
) -> Samples:
    spool = Spool(np.uint8, (spec.height, spec.width, spec.channels))
    for name in names:
        spool.append(_decode(path, name, spec, read)[np.newaxis])
    index = {name: place for place, name in enumerate(classes)}
    labels = np.array([index[_class(name)] for name in names], np.int64) if classes else None
    return Samples(inputs={"image": spool.finish()}, targets=labels)


def _decode(path: Path, name: PurePosixPath, spec: ImageSpec, read: Read) -> NDArray[np.uint8]:
    try:
        return decode_image(read(str(name)), spec)
    except (InvalidImage, ImageTooLarge) as error:
        raise DatasetBroken(path=path, reason=f"{name}: {error}") from None
