import numpy as np
import pytest
from sklearn import metrics

from lampyris_build.evaluation.regression import regression_scores


@pytest.mark.parametrize("shape", [(50,), (50, 1), (50, 3)])
def test_scores_equal_scikit_learns(shape: tuple[int, ...]) -> None:
    rng = np.random.default_rng(1)
    targets = rng.normal(5, 2, shape).astype(np.float32)
    predicted = (targets + rng.normal(0, 0.5, shape)).astype(np.float32)

    scores = regression_scores(predicted, targets)

    assert scores == {
        "mse": pytest.approx(metrics.mean_squared_error(targets, predicted), rel=1e-6),
        "rmse": pytest.approx(metrics.root_mean_squared_error(targets, predicted), rel=1e-6),
        "mae": pytest.approx(metrics.mean_absolute_error(targets, predicted), rel=1e-6),
        "r2": pytest.approx(metrics.r2_score(targets, predicted), rel=1e-6),
    }


def test_column_of_predictions_meets_a_row_of_targets() -> None:
    predicted, targets = np.array([[1.0], [2.0], [4.0]]), np.array([1.0, 2.0, 3.0])

    assert regression_scores(predicted, targets)["mse"] == pytest.approx(1 / 3)


def test_one_row_has_no_r2() -> None:
    assert regression_scores(np.array([1.0]), np.array([3.0])) == {"mse": 4, "rmse": 2, "mae": 2}


def test_constant_target_has_the_r2_of_scikit_learn() -> None:
    targets = np.full(4, 2.0)

    assert regression_scores(targets, targets)["r2"] == 1
    assert regression_scores(targets + np.eye(4)[3], targets)["r2"] == 0


def test_prediction_that_is_no_number_is_infinitely_wrong() -> None:
    scores = regression_scores(np.array([1.0, np.nan]), np.array([1.0, 2.0]))

    assert scores == {"mse": np.inf, "rmse": np.inf, "mae": np.inf, "r2": -np.inf}
