"""Trees that each correct those before them.

Features are put into at most 255 bins first, so that a hundred thousand samples take seconds.

Source: Friedman 2001 (greedy function approximation); Ke et al. 2017 (LightGBM, whose histograms these are).
"""

from sklearn.base import BaseEstimator
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

from lampyris_build.recipe.models import BoostingModel


def boosting_classifier(model: BoostingModel, seed: int) -> BaseEstimator:
    return HistGradientBoostingClassifier(
        max_iter=model.trees,
        max_leaf_nodes=model.max_leaves,
        learning_rate=model.learning_rate,
        early_stopping=False,
        random_state=seed,
    )


def boosting_regressor(model: BoostingModel, seed: int) -> BaseEstimator:
    return HistGradientBoostingRegressor(
        max_iter=model.trees,
        max_leaf_nodes=model.max_leaves,
        learning_rate=model.learning_rate,
        early_stopping=False,
        random_state=seed,
    )
