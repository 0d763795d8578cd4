"""A recipe from the parts that a test names, and what comes of it."""

from collections.abc import Callable
from typing import Any

import pytest

from lampyris_build.data import load_dataset
from lampyris_build.data.dataset import Dataset
from lampyris_build.recipe.reading import recipe_of

Load = Callable[..., Dataset]


@pytest.fixture
def load() -> Load:
    """Load the dataset of a recipe with these sections."""

    def load(dataset: Any, **sections: Any) -> Dataset:
        document = {"name": "some", "model": {"architecture": "mlp"}, "dataset": dataset, **sections}
        return load_dataset(recipe_of(document, "some"))

    return load
