"""What a build has found out and need not find out again when it goes on after an interruption."""

import hashlib
from collections.abc import Callable, Sequence
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final, Generic, TypeVar

import msgspec

from lampyris_build.data.dataset import Dataset
from lampyris_build.recipe import Recipe
from lampyris_build.stages import Stage
from lampyris_build.training.checkpoint import training_digest
from lampyris_build.training.files import write_atomically

_MAKERS: Final = ("lampyris", "onnx", "onnxruntime")

_Found = TypeVar("_Found")


class _Finding(msgspec.Struct, Generic[_Found], frozen=True, kw_only=True):
    """`made_of` names all that decides what was found."""

    made_of: str
    found: _Found


class Findings:
    """What stages found out, in `folder`, beside the files that they make there."""

    def __init__(self, folder: Path, recipe: Recipe, dataset: Dataset, stage: Stage) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._stage = stage
        self._about = (training_digest(recipe, dataset), [version(name) for name in _MAKERS])

    def once(
        self, name: str, made_of: Sequence[Any], kind: type[_Found], find_out: Callable[[], _Found]
    ) -> _Found:
        """Find something out, unless that was done before with the same.

        `made_of` is what decides it besides recipe and data; of a file, its digest. The files that `find_out`
        leaves in the folder stay as long.

        Raises: TimeIsUp, once it is kept; WriteFailed; what `find_out` raises.
        """
        decisive = hashlib.sha256(msgspec.json.encode((*self._about, *made_of))).hexdigest()
        place = self._folder / f"{name}.json"
        with suppress(FileNotFoundError, msgspec.MsgspecError):
            kept = msgspec.json.decode(place.read_bytes(), type=_Finding[kind])  # type: ignore[valid-type]  # it is one
            if kept.made_of == decisive:
                return kept.found
        place.unlink(missing_ok=True)  # its files will be others
        found = find_out()
        write_atomically(place, msgspec.json.encode(_Finding(made_of=decisive, found=found)))
        self._stage.part_done()
        return found


def file_digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
