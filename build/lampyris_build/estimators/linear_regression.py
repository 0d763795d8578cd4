"""A weight for each feature, for numbers."""

from sklearn.base import BaseEstimator
from sklearn.linear_model import Ridge

from lampyris_build.recipe.models import LinearModel


def linear_regression(model: LinearModel) -> BaseEstimator:
    """Least squares with the squared weights held small; 0 is ordinary least squares.

    Source: Hoerl and Kennard 1970 (ridge regression).
    """
    return Ridge(alpha=model.l2)
