"""A fitted estimator of scikit-learn, with what stands before it and after it.

Shape suffixes: N samples, K classes, T targets.
"""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator

from lampyris.domain.signature import Signature
from lampyris_build.data.dataset import Inputs
from lampyris_build.estimators.conversion import to_graph
from lampyris_build.estimators.front import Front
from lampyris_build.imports.graph import answer_with, apart, append
from lampyris_build.tasks.task import Answers
from lampyris_build.trained import in_batches


class FittedEstimator:
    """Answers probabilities (N, K) if there are labels, else numbers (N,) or (N, T).

    An estimator predicts numbers of mean 0 and deviation 1, which `std` and `mean`, each (T,), bring back to
    the target's unit; where it predicts them in that unit, both are None.
    """

    def __init__(
        self,
        estimator: BaseEstimator,
        front: Front,
        signature: Signature,
        *,
        mean: NDArray[np.float32] | None = None,
        std: NDArray[np.float32] | None = None,
    ) -> None:
        self._estimator: Any = estimator
        self._front = front
        self._mean = mean
        self._std = std
        self.signature = signature

    def predict(self, inputs: Inputs) -> Answers:
        return in_batches(inputs, self._answers)

    def export(self, path: Path) -> None:
        """Write all of it as one graph. Raises: ConversionFailed."""
        model = apart(to_graph(self._estimator, self._front.types))
        answer = model.graph.output[0].name
        if self._mean is not None and self._std is not None:
            answer = append(model, "Add", append(model, "Mul", answer, self._std), self._mean)
        answer_with(model, answer, self.signature.outputs[0])
        self._front.write(model, path)

    def _answers(self, batch: Inputs) -> Answers:
        features = self._front.features(batch)
        if self.signature.labels is not None:
            return [self._estimator.predict_proba(features).astype(np.float32)]
        numbers_NT = self._estimator.predict(features).reshape(len(features), -1)
        if self._mean is not None and self._std is not None:
            numbers_NT = numbers_NT * self._std + self._mean
        shape = self.signature.outputs[0].shape
        return [numbers_NT.astype(np.float32).reshape(shape)]
