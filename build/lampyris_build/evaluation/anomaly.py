"""How well scores tell the unusual from the usual. Shape suffix: N samples."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn import metrics


def anomaly_scores(scores_N: NDArray[Any], is_anomaly_N: NDArray[np.bool_] | None) -> dict[str, float]:
    """Return reconstruction_error, and roc_auc and average_precision where it is known what is unusual.

    The higher a score, the more unusual the sample is. A score that is no number counts as the lowest.
    """
    exact_N = np.asarray(scores_N, np.float64).reshape(-1)
    scores = {"reconstruction_error": float(exact_N.mean())}
    if is_anomaly_N is not None and 0 < is_anomaly_N.sum() < len(is_anomaly_N):
        ranked_N = np.where(np.isfinite(exact_N), exact_N, np.finfo(np.float64).min)
        scores |= {
            "roc_auc": float(metrics.roc_auc_score(is_anomaly_N, ranked_N)),
            "average_precision": float(metrics.average_precision_score(is_anomaly_N, ranked_N)),
        }
    return scores
