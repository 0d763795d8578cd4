import numpy as np
import pytest
from sklearn import metrics

from lampyris_build.evaluation.anomaly import anomaly_scores


def test_areas_equal_scikit_learns() -> None:
    rng = np.random.default_rng(4)
    unusual = rng.random(200) < 0.1
    found = (rng.normal(size=200) + 2 * unusual).astype(np.float32)

    scores = anomaly_scores(found, unusual)

    assert scores["roc_auc"] == pytest.approx(metrics.roc_auc_score(unusual, found))
    assert scores["average_precision"] == pytest.approx(metrics.average_precision_score(unusual, found))
    assert scores["reconstruction_error"] == pytest.approx(found.mean(dtype=np.float64))


@pytest.mark.parametrize("unusual", [None, np.zeros(3, bool), np.ones(3, bool)])
def test_nothing_is_told_apart_where_nothing_is_known(unusual: np.ndarray | None) -> None:
    assert anomaly_scores(np.array([1.0, 2.0, 3.0]), unusual) == {"reconstruction_error": 2}
