"""Where examples come from: a file for each kind of source, and what happens before anything is learnt."""

from lampyris_build.data.checks import check_source
from lampyris_build.data.dataset import Dataset
from lampyris_build.data.joining import joined
from lampyris_build.data.reading import read_all
from lampyris_build.data.split import split
from lampyris_build.data.targets import with_targets
from lampyris_build.data.windows import in_order, windowed
from lampyris_build.recipe import Recipe


def load_dataset(recipe: Recipe) -> Dataset:
    """Read what the recipe names, and divide it into three sets.

    Raises: InvalidRecipe, DatasetMissing, DatasetBroken, WriteFailed.
    """
    source = joined(read_all(recipe))
    check_source(source)
    source = with_targets(source, recipe.task)
    if recipe.window is None:
        return split(source, recipe.split, recipe.seed, recipe.task)
    settings = in_order(recipe.split, source)
    return windowed(split(source, settings, recipe.seed, recipe.task), recipe.window, settings)
