"""A weight for each feature and class, for probabilities."""

from typing import Final

from sklearn.base import BaseEstimator
from sklearn.linear_model import LogisticRegression

from lampyris_build.recipe.models import LogisticModel

_MAX_STEPS: Final = 1000  # scikit-learn's 100 are too few for hundreds of pixels


def logistic_regression(model: LogisticModel) -> BaseEstimator:
    """A weighted sum for each class, then softmax: the likeliest weights, their squares held small.

    Source: Hastie, Tibshirani and Friedman 2009, section 4.4.
    """
    return LogisticRegression(C=1 / model.l2, max_iter=_MAX_STEPS)
