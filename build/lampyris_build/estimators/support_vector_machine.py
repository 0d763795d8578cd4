"""The widest margin: between classes, or around a line."""

from sklearn.base import BaseEstimator
from sklearn.calibration import CalibratedClassifierCV
from sklearn.svm import SVC, SVR

from lampyris_build.recipe.models import SvmModel


def support_vector_classifier(model: SvmModel) -> BaseEstimator:
    """A margin is no probability: a sigmoid for each class turns one into the other.

    The sigmoids are fitted to the margins of samples that a machine was not fitted to, five folds in turn;
    the machine that is served was fitted to all.

    Source: Cortes and Vapnik 1995; Platt 1999 (probabilistic outputs for support vector machines).
    """
    return CalibratedClassifierCV(SVC(C=model.c, kernel=model.kernel), method="sigmoid", ensemble=False)


def support_vector_regressor(model: SvmModel) -> BaseEstimator:
    """The flattest line that leaves few samples further away than a tenth of the target's deviation.

    Source: Drucker et al. 1996 (support vector regression machines).
    """
    return SVR(C=model.c, kernel=model.kernel)
