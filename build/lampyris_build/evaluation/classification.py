"""How often a classifier is right, and how well it tells classes apart.

A mean over classes ("macro") is that of the classes that occur. Shape suffixes: N samples, K classes.
"""

from typing import Any, Final

import msgspec
import numpy as np
from numpy.typing import NDArray
from sklearn import metrics

from lampyris_build.evaluation.calibration import calibration_of

_BINARY: Final = 2
# By how much the sum of a row may differ from 1, as 16 and 8 bits round it.
_ROUNDING: Final = 0.01


class ClassScores(msgspec.Struct, frozen=True, kw_only=True):
    """How one class is told from all others; `support` counts its samples in the test set."""

    name: str
    precision: float
    recall: float
    f1: float
    support: int


def predicted_classes(probabilities_NK: NDArray[Any]) -> NDArray[np.int64]:
    """Return the most likely class of each row; -1, which is none, where a value is no number."""
    found_N = probabilities_NK.argmax(axis=1).astype(np.int64)
    return np.where(np.isfinite(probabilities_NK).all(axis=1), found_N, -1)


def accuracy(probabilities_NK: NDArray[Any], labels_N: NDArray[Any]) -> float:
    """Return the share of rows whose most likely class is the right one."""
    return float((predicted_classes(probabilities_NK) == labels_N).mean())


def classification_scores(probabilities_NK: NDArray[Any], labels_N: NDArray[Any]) -> dict[str, float]:
    """Return every score by its name; what cannot be said is left out.

    Always: accuracy; precision, recall and f1, each with _macro and _micro. Unless one class alone occurs:
    roc_auc and average_precision, of class 1 if there are two, else the mean of each class against the rest.
    Where the rows are probabilities: log_loss, brier and calibration_error.
    """
    predicted_N = predicted_classes(probabilities_NK)
    present = np.union1d(labels_N, predicted_N[predicted_N >= 0])
    scores = {"accuracy": float((predicted_N == labels_N).mean())}
    for average in ("macro", "micro"):
        values = metrics.precision_recall_fscore_support(
            labels_N, predicted_N, labels=present, average=average, zero_division=0.0
        )
        names = (f"precision_{average}", f"recall_{average}", f"f1_{average}")
        scores |= {name: float(value) for name, value in zip(names, values, strict=False)}
    scores |= _ranking(probabilities_NK, labels_N)
    if are_probabilities(probabilities_NK):
        scores |= _of_probabilities(probabilities_NK, labels_N)
    return scores


def class_scores(
    probabilities_NK: NDArray[Any], labels_N: NDArray[Any], classes: tuple[str, ...]
) -> tuple[ClassScores, ...]:
    """Return the scores of every class by itself; 0 where there is nothing to divide by."""
    values = metrics.precision_recall_fscore_support(
        labels_N, predicted_classes(probabilities_NK), labels=np.arange(len(classes)), zero_division=0.0
    )
    return tuple(
        ClassScores(name=name, precision=float(p), recall=float(r), f1=float(f1), support=int(support))
        for name, p, r, f1, support in zip(classes, *values, strict=True)
    )


def confusion_matrix(probabilities_NK: NDArray[Any], labels_N: NDArray[Any]) -> NDArray[np.int64]:
    """Count how often a class (the row) was taken for which (the column): (K, K)."""
    classes = np.arange(probabilities_NK.shape[1])
    counts: NDArray[np.int64] = metrics.confusion_matrix(
        labels_N, predicted_classes(probabilities_NK), labels=classes
    )
    return counts


def are_probabilities(probabilities_NK: NDArray[Any]) -> bool:
    """Tell probabilities from logits and other numbers, which a model of somebody else may give."""
    sums_N = probabilities_NK.sum(axis=1, dtype=np.float64)
    return bool((probabilities_NK >= 0).all() and (np.abs(sums_N - 1) <= _ROUNDING).all())


def _ranking(probabilities_NK: NDArray[Any], labels_N: NDArray[Any]) -> dict[str, float]:
    count = probabilities_NK.shape[1]
    exact_NK = probabilities_NK.astype(np.float64)
    ranked_NK = np.where(np.isfinite(exact_NK), exact_NK, np.finfo(np.float64).min)
    tested = [1] if count == _BINARY else range(count)
    members = {k: labels_N == k for k in tested}
    told_apart = [k for k in tested if members[k].any() and not members[k].all()]
    if not told_apart:
        return {}
    areas = [metrics.roc_auc_score(members[k], ranked_NK[:, k]) for k in told_apart]
    precisions = [metrics.average_precision_score(members[k], ranked_NK[:, k]) for k in told_apart]
    return {"roc_auc": float(np.mean(areas)), "average_precision": float(np.mean(precisions))}


def _of_probabilities(probabilities_NK: NDArray[Any], labels_N: NDArray[Any]) -> dict[str, float]:
    classes = np.arange(probabilities_NK.shape[1])
    exact_NK = probabilities_NK.astype(np.float64)
    exact_NK /= exact_NK.sum(axis=1, keepdims=True)
    shown_NK = exact_NK[:, 1] if len(classes) == _BINARY else exact_NK
    return {
        "log_loss": float(metrics.log_loss(labels_N, exact_NK, labels=classes)),
        "brier": float(metrics.brier_score_loss(labels_N, shown_NK, labels=classes)),
        "calibration_error": calibration_of(exact_NK, labels_N).error,
    }
