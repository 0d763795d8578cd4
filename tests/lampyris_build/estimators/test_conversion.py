from typing import Any

import numpy as np
import onnxruntime
import pytest
from skl2onnx.common.data_types import FloatTensorType
from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestRegressor,
)

from lampyris_build.estimators.conversion import to_graph


def _answers(estimator: Any, values: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Convert an estimator, and ask its graph."""
    model = to_graph(estimator, [("x", FloatTensorType([None, values.shape[1]]))])
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    answers: np.ndarray[Any, Any]
    (answers,) = session.run(None, {"x": values})
    return answers


@pytest.mark.parametrize("low", [1.0, np.nextafter(np.float32(1), np.float32(2))])
def test_thresholds_split_alike_where_values_are_neighbours_in_float32(low: float) -> None:
    # The threshold between them is no float32: rounded, it is the upper one of one of the two pairs.
    pair = np.array([low, np.nextafter(np.float32(low), np.float32(2))], np.float32)
    values = np.tile(pair, 50).reshape(-1, 1)
    estimator = HistGradientBoostingClassifier(max_iter=3).fit(values, np.tile([0, 1], 50))

    answers = _answers(estimator, values)

    np.testing.assert_allclose(answers, estimator.predict_proba(values), atol=1e-6)
    assert (answers.argmax(axis=1) == np.tile([0, 1], 50)).all()


@pytest.mark.parametrize("kind", [RandomForestRegressor, HistGradientBoostingRegressor])
def test_trees_answer_alike_on_every_side_of_every_threshold(kind: Any) -> None:
    rng = np.random.default_rng(0)
    values = rng.integers(0, 20, (300, 3)).astype(np.float32) / 7
    estimator = kind(random_state=0).fit(values, values[:, 0] + values[:, 1] * values[:, 2])
    # Thresholds lie between values, many in the middle of two.
    between = np.unique(values)[:-1] + np.diff(np.unique(values)) / 2
    asked = rng.choice(np.concatenate([np.unique(values), between]), (2000, 3)).astype(np.float32)

    answers = _answers(estimator, asked)

    np.testing.assert_allclose(answers.ravel(), estimator.predict(asked), atol=1e-5)


def test_conversion_leaves_the_estimator_as_it_was() -> None:
    values = np.random.default_rng(0).normal(size=(100, 2)).astype(np.float32)
    estimator = HistGradientBoostingRegressor(max_iter=3).fit(values, values[:, 0])
    before = [tree.nodes.copy() for (tree,) in estimator._predictors]

    to_graph(estimator, [("x", FloatTensorType([None, 2]))])

    for nodes, (tree,) in zip(before, estimator._predictors, strict=True):
        np.testing.assert_array_equal(nodes, tree.nodes)
