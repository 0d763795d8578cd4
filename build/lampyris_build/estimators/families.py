"""The estimators that a recipe can name, for each task that they are for."""

from sklearn.base import BaseEstimator

from lampyris_build.errors import InvalidRecipe
from lampyris_build.estimators.gradient_boosting import boosting_classifier, boosting_regressor
from lampyris_build.estimators.linear_regression import linear_regression
from lampyris_build.estimators.logistic_regression import logistic_regression
from lampyris_build.estimators.random_forest import forest_classifier, forest_regressor
from lampyris_build.estimators.support_vector_machine import (
    support_vector_classifier,
    support_vector_regressor,
)
from lampyris_build.recipe import Recipe
from lampyris_build.recipe.models import BoostingModel, ForestModel, LinearModel, LogisticModel, SvmModel


def estimator_for(recipe: Recipe) -> BaseEstimator:
    """Make the recipe's estimator, not fitted.

    Raises: InvalidRecipe if it is not for the recipe's task.
    """
    model, seed = recipe.model, recipe.seed
    match recipe.task, model:
        case "regression", LinearModel():
            return linear_regression(model)
        case "classification", LogisticModel():
            return logistic_regression(model)
        case "classification", SvmModel():
            return support_vector_classifier(model)
        case "regression", SvmModel():
            return support_vector_regressor(model)
        case "classification", ForestModel():
            return forest_classifier(model, seed)
        case "regression", ForestModel():
            return forest_regressor(model, seed)
        case "classification", BoostingModel():
            return boosting_classifier(model, seed)
        case "regression", BoostingModel():
            return boosting_regressor(model, seed)
        case _:
            raise InvalidRecipe(recipe=recipe.name, reason=_wrong_task(recipe))


def _wrong_task(recipe: Recipe) -> str:
    told = f"model.architecture {recipe.model.__struct_config__.tag}"
    match recipe.task, recipe.model:
        case "classification", LinearModel():
            return f"{told} predicts numbers; for task classification use logistic-regression."
        case "regression", LogisticModel():
            return f"{told} tells classes apart; for task regression use linear-regression."
        case _:
            return f"{told} is for tables of numbers and classes, not for task {recipe.task}."
