"""Every score is held against scikit-learn's, called as its documentation says."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn import metrics
from sklearn.preprocessing import label_binarize

from lampyris_build.evaluation.classification import (
    accuracy,
    are_probabilities,
    class_scores,
    classification_scores,
    confusion_matrix,
    predicted_classes,
)

Answers = tuple[NDArray[np.float32], NDArray[np.int64]]


def _answers(classes: int, count: int = 300) -> Answers:
    """Answers that are right more often than not, as float32 like a model's."""
    rng = np.random.default_rng(classes)
    labels = rng.integers(0, classes, count)
    logits = rng.normal(size=(count, classes)) + 1.5 * np.eye(classes)[labels]
    exponentials = np.exp(logits)
    return (exponentials / exponentials.sum(axis=1, keepdims=True)).astype(np.float32), labels


@pytest.mark.parametrize("classes", [2, 3, 10])
def test_counts_of_hits_equal_scikit_learns(classes: int) -> None:
    probabilities, labels = _answers(classes)
    predicted = probabilities.argmax(axis=1)

    scores = classification_scores(probabilities, labels)

    assert scores["accuracy"] == metrics.accuracy_score(labels, predicted)
    for average in ("macro", "micro"):
        expected = metrics.precision_recall_fscore_support(labels, predicted, average=average)[:3]
        found = [scores[f"{name}_{average}"] for name in ("precision", "recall", "f1")]
        np.testing.assert_allclose(found, expected, rtol=1e-9)


@pytest.mark.parametrize("classes", [3, 10])
def test_scores_of_many_classes_equal_scikit_learns(classes: int) -> None:
    probabilities, labels = _answers(classes)
    exact = probabilities.astype(np.float64)
    exact /= exact.sum(axis=1, keepdims=True)
    members = label_binarize(labels, classes=range(classes))

    scores = classification_scores(probabilities, labels)

    expected = {
        "roc_auc": metrics.roc_auc_score(labels, exact, multi_class="ovr", average="macro"),
        "average_precision": metrics.average_precision_score(members, exact, average="macro"),
        "log_loss": metrics.log_loss(labels, exact),
        "brier": metrics.brier_score_loss(labels, exact),
    }
    for name, value in expected.items():
        np.testing.assert_allclose(scores[name], value, rtol=1e-6)


def test_scores_of_two_classes_are_those_of_the_second() -> None:
    probabilities, labels = _answers(2)
    second = probabilities[:, 1].astype(np.float64)

    scores = classification_scores(probabilities, labels)

    expected = {
        "roc_auc": metrics.roc_auc_score(labels, second),
        "average_precision": metrics.average_precision_score(labels, second),
        "log_loss": metrics.log_loss(labels, second),
        "brier": metrics.brier_score_loss(labels, second),
    }
    for name, value in expected.items():
        np.testing.assert_allclose(scores[name], value, rtol=1e-6)


def test_ties_count_half_in_the_area_under_the_curve() -> None:
    probabilities = np.full((6, 2), 0.5, np.float32)
    labels = np.array([0, 1, 0, 1, 1, 1])

    scores = classification_scores(probabilities, labels)

    assert scores["roc_auc"] == 0.5
    assert scores["average_precision"] == pytest.approx(4 / 6)


def test_class_that_does_not_occur_is_left_out_of_means() -> None:
    probabilities, labels = _answers(4)
    occurring = labels < 3
    probabilities, labels = probabilities[occurring], labels[occurring]
    probabilities[:, 3] = 0
    probabilities /= probabilities.sum(axis=1, keepdims=True)

    scores = classification_scores(probabilities, labels)

    without = classification_scores(probabilities[:, :3], labels)
    for name, value in without.items():
        assert scores[name] == pytest.approx(value), name


def test_class_that_is_predicted_and_does_not_occur_counts_as_in_scikit_learn() -> None:
    probabilities = np.array([[0.8, 0.1, 0.1], [0.1, 0.8, 0.1], [0.1, 0.1, 0.8]], np.float32)
    labels = np.array([0, 1, 1])

    scores = classification_scores(probabilities, labels)

    expected = metrics.f1_score(labels, [0, 1, 2], average="macro", zero_division=0.0)
    assert scores["f1_macro"] == pytest.approx(expected)


def test_one_row_has_no_area_under_a_curve() -> None:
    scores = classification_scores(np.array([[0.25, 0.75]], np.float32), np.array([1]))

    assert scores["accuracy"] == 1
    assert scores["log_loss"] == pytest.approx(-np.log(0.75))
    assert "roc_auc" not in scores
    assert "average_precision" not in scores


def test_logits_are_ranked_but_not_taken_for_probabilities() -> None:
    probabilities, labels = _answers(3)
    logits = np.log(probabilities) + 7

    scores = classification_scores(logits, labels)

    assert scores["accuracy"] == accuracy(probabilities, labels)
    assert "roc_auc" in scores
    assert not scores.keys() & {"log_loss", "brier", "calibration_error"}


def test_probabilities_rounded_to_16_bits_are_still_probabilities() -> None:
    probabilities, labels = _answers(10)
    rounded = probabilities.astype(np.float16).astype(np.float32)

    scores = classification_scores(rounded, labels)

    assert scores["log_loss"] == pytest.approx(
        classification_scores(probabilities, labels)["log_loss"], abs=1e-3
    )


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_answer_that_is_no_number_is_wrong(value: float) -> None:
    probabilities = np.array([[0.9, 0.1], [0.2, 0.8], [0.8, 0.2]], np.float32)
    probabilities[0, 0] = value
    labels = np.array([0, 1, 0])

    scores = classification_scores(probabilities, labels)

    assert scores["accuracy"] == pytest.approx(2 / 3)
    assert np.isfinite(list(scores.values())).all()
    assert not are_probabilities(probabilities)
    assert predicted_classes(probabilities).tolist() == [-1, 1, 0]


def test_classes_one_by_one_equal_scikit_learns_report() -> None:
    probabilities, labels = _answers(3)
    classes = ("red", "green", "blue")

    found = class_scores(probabilities, labels, classes)

    report: dict[str, Any] = metrics.classification_report(
        labels, probabilities.argmax(axis=1), target_names=classes, output_dict=True
    )
    assert [one.name for one in found] == list(classes)
    for one in found:
        expected = report[one.name]
        assert (one.precision, one.recall, one.f1, one.support) == (
            expected["precision"],
            expected["recall"],
            expected["f1-score"],
            expected["support"],
        )


def test_confusion_has_a_row_for_every_class_even_if_it_does_not_occur() -> None:
    probabilities = np.array([[0.8, 0.1, 0.1], [0.1, 0.8, 0.1], [0.8, 0.1, 0.1]], np.float32)

    counts = confusion_matrix(probabilities, np.array([0, 1, 1]))

    assert counts.tolist() == [[1, 0, 0], [1, 1, 0], [0, 0, 0]]
