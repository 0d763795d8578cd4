"""Where examples come from: one file for each kind of source, and the split into three sets."""

from typing import assert_never

from lampyris_build.data.dataset import Dataset, Source
from lampyris_build.data.idx import read_idx
from lampyris_build.data.image_folder import read_images
from lampyris_build.data.npz import read_npz
from lampyris_build.data.scikit_learn import read_sklearn
from lampyris_build.data.split import split
from lampyris_build.recipe import IdxDataset, ImagesDataset, NpzDataset, Recipe, SklearnDataset


def load_dataset(recipe: Recipe) -> Dataset:
    """Read what the recipe names, and divide it into three sets.

    Raises: DatasetMissing, DatasetBroken.
    """
    return split(
        _read(recipe.dataset),
        test_fraction=recipe.dataset.test_fraction,
        validation_fraction=recipe.dataset.validation_fraction,
        seed=recipe.seed,
    )


def _read(dataset: SklearnDataset | IdxDataset | ImagesDataset | NpzDataset) -> Source:
    match dataset:
        case SklearnDataset():
            return read_sklearn(dataset)
        case IdxDataset():
            return read_idx(dataset)
        case ImagesDataset():
            return read_images(dataset)
        case NpzDataset():
            return read_npz(dataset)
        case _:
            assert_never(dataset)
