"""Trees that vote, each grown on other samples and features.

Source: Breiman 2001 (random forests).
"""

from sklearn.base import BaseEstimator
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor

from lampyris_build.recipe.models import ForestModel


def forest_classifier(model: ForestModel, seed: int) -> BaseEstimator:
    return RandomForestClassifier(
        n_estimators=model.trees, max_depth=model.max_depth, random_state=seed, n_jobs=-1
    )


def forest_regressor(model: ForestModel, seed: int) -> BaseEstimator:
    return RandomForestRegressor(
        n_estimators=model.trees, max_depth=model.max_depth, random_state=seed, n_jobs=-1
    )
