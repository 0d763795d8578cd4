"""Estimators of scikit-learn: one readable file for each family, and how they are fitted and become ONNX."""

from lampyris_build.estimators.fitted import FittedEstimator
from lampyris_build.estimators.fitting import fit

__all__ = ["FittedEstimator", "fit"]
