"""What a model is taught and what is served of it: one file for each task."""

from typing import assert_never

from lampyris_build.data.dataset import Dataset
from lampyris_build.recipe import Recipe
from lampyris_build.tasks.anomaly import Anomaly
from lampyris_build.tasks.classification import Classification
from lampyris_build.tasks.generation import Generation
from lampyris_build.tasks.language import Language
from lampyris_build.tasks.regression import Regression
from lampyris_build.tasks.task import Task


def task_for(recipe: Recipe, dataset: Dataset) -> Task:
    """Make the recipe's task for what the dataset holds. Raises: InvalidRecipe."""
    match recipe.task:
        case "classification":
            smoothing = 0.0 if recipe.training is None else recipe.training.label_smoothing
            return Classification(dataset, label_smoothing=smoothing)
        case "regression":
            return Regression(dataset)
        case "anomaly":
            return Anomaly(dataset)
        case "generation":
            return Generation(dataset, recipe)
        case "language":
            return Language(dataset, recipe)
        case _:
            assert_never(recipe.task)
