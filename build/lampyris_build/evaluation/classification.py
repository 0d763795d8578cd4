"""How often a classifier is right, and how right it is about how sure it is.

Where a class is absent from the test set, what cannot be said of it is left out of means.
Shape suffixes: N samples, K classes.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn import metrics


def predicted_classes(probabilities_NK: NDArray[Any]) -> NDArray[np.int64]:
    """Return the most likely class of each row; -1, which is none, where a value is no number."""
    found_N = probabilities_NK.argmax(axis=1).astype(np.int64)
    return np.where(np.isfinite(probabilities_NK).all(axis=1), found_N, -1)


def accuracy(probabilities_NK: NDArray[Any], labels_N: NDArray[Any]) -> float:
    return float((predicted_classes(probabilities_NK) == labels_N).mean())


def classification_scores(probabilities_NK: NDArray[Any], labels_N: NDArray[Any]) -> dict[str, float]:
    predicted_N = predicted_classes(probabilities_NK)
    classes = np.arange(probabilities_NK.shape[1])
    scores = {"accuracy": accuracy(probabilities_NK, labels_N)}
    for average in ("macro", "micro"):
        precision, recall, f1, _ = metrics.precision_recall_fscore_support(
            labels_N, predicted_N, labels=classes, average=average, zero_division=0.0
        )
        scores |= {
            f"precision_{average}": float(precision),
            f"recall_{average}": float(recall),
            f"f1_{average}": float(f1),
        }
    return scores
