import numpy as np
import pytest
from sklearn.calibration import calibration_curve

from lampyris_build.evaluation.calibration import calibration_of


def test_bins_are_those_of_scikit_learns_curve() -> None:
    rng = np.random.default_rng(0)
    probabilities = rng.dirichlet(np.ones(4), 500)
    labels = rng.integers(0, 4, 500)

    calibration = calibration_of(probabilities, labels)

    right = probabilities.argmax(axis=1) == labels
    accuracies, confidences = calibration_curve(right, probabilities.max(axis=1), n_bins=15)
    np.testing.assert_allclose([one.accuracy for one in calibration.bins], accuracies)
    np.testing.assert_allclose([one.confidence for one in calibration.bins], confidences)
    assert sum(one.count for one in calibration.bins) == 500
    weights = np.array([one.count for one in calibration.bins]) / 500
    assert calibration.error == pytest.approx(float((weights * np.abs(accuracies - confidences)).sum()))


def test_model_as_sure_as_it_is_right_has_no_error() -> None:
    probabilities = np.tile([0.75, 0.25], (8, 1))
    labels = np.array([0, 0, 0, 1] * 2)

    calibration = calibration_of(probabilities, labels)

    assert calibration.error == 0
    assert [(one.confidence, one.accuracy, one.count) for one in calibration.bins] == [(0.75, 0.75, 8)]


def test_model_sure_of_what_is_wrong_has_the_greatest_error() -> None:
    calibration = calibration_of(np.array([[1.0, 0.0]]), np.array([1]))

    assert calibration.error == 1


def test_bin_holds_its_upper_edge() -> None:
    edge = 8 / 15
    probabilities = np.array(
        [[edge, 1 - edge], [edge - 1e-6, 1 - edge + 1e-6], [edge + 1e-6, 1 - edge - 1e-6]]
    )

    calibration = calibration_of(probabilities, np.array([0, 0, 0]))

    assert [one.count for one in calibration.bins] == [2, 1]
