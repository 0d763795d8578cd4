"""How far predicted numbers are from the true ones. Shape suffixes: N samples, T targets."""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from sklearn import metrics

_LEAST_FOR_R2: Final = 2


def regression_scores(predicted: NDArray[Any], targets: NDArray[Any]) -> dict[str, float]:
    """Return mse, rmse, mae and r2: of several targets, their means. A single row has no r2: it is left out.

    A prediction that is not finite makes the errors infinite and r2 minus infinity.
    Shapes: (N,), (N, 1) or (N, T), and the same for the targets.
    """
    predicted_NT = np.asarray(predicted, np.float64).reshape(len(predicted), -1)
    targets_NT = np.asarray(targets, np.float64).reshape(len(targets), -1)
    if not np.isfinite(predicted_NT).all():
        return {"mse": np.inf, "rmse": np.inf, "mae": np.inf, "r2": -np.inf}
    scores = {
        "mse": float(metrics.mean_squared_error(targets_NT, predicted_NT)),
        "rmse": float(metrics.root_mean_squared_error(targets_NT, predicted_NT)),
        "mae": float(metrics.mean_absolute_error(targets_NT, predicted_NT)),
    }
    if len(targets_NT) >= _LEAST_FOR_R2:
        scores["r2"] = float(metrics.r2_score(targets_NT, predicted_NT))
    return scores
