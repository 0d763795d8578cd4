"""Where examples come from: a file for each kind of source, and what happens before anything is learnt."""

from pathlib import Path
from typing import assert_never

from lampyris_build.data.checks import check_source
from lampyris_build.data.dataset import Dataset, Source
from lampyris_build.data.idx import read_idx
from lampyris_build.data.image_folder import read_images
from lampyris_build.data.npz import read_npz
from lampyris_build.data.scikit_learn import read_sklearn
from lampyris_build.data.split import split
from lampyris_build.data.targets import with_targets
from lampyris_build.errors import InvalidRecipe
from lampyris_build.recipe import Recipe
from lampyris_build.recipe.sources import (
    AnySource,
    CifarSource,
    CsvSource,
    IdxSource,
    ImagesSource,
    JsonLinesSource,
    NpySource,
    NpzSource,
    ParquetSource,
    SklearnSource,
    TextSource,
)


def load_dataset(recipe: Recipe) -> Dataset:
    """Read what the recipe names, and divide it into three sets.

    Raises: DatasetMissing, DatasetBroken, InvalidRecipe.
    """
    source = _read(recipe.sources[0])
    check_source(source)
    return split(with_targets(source, recipe.task), recipe.split, recipe.seed, recipe.task)


def _read(source: AnySource) -> Source:
    match source:
        case SklearnSource():
            return read_sklearn(source)
        case IdxSource():
            return read_idx(Path(source.path).expanduser())
        case ImagesSource():
            return read_images(source, Path(source.path).expanduser())
        case NpzSource():
            return read_npz(Path(source.path).expanduser())
        case CifarSource() | NpySource() | CsvSource() | ParquetSource() | JsonLinesSource() | TextSource():
            raise InvalidRecipe(reason=f"dataset.source {type(source).__name__} cannot be read yet.")
        case _:
            assert_never(source)
