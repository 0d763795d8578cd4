"""How large one number is, or several.

Shape suffixes: N samples, B batch, T targets.
"""

import numpy as np
import torch
from torch import nn

from lampyris.domain.signature import DYNAMIC, TensorSpec
from lampyris_build.data.dataset import Dataset, Samples
from lampyris_build.tasks.task import Answers, Task


class Regression(Task):
    """A network gives numbers of mean 0 and deviation 1, (B, T); served is the target in its own unit.

    The score is R², and 0 where that is less.
    """

    def __init__(self, dataset: Dataset) -> None:
        super().__init__(dataset)
        targets = dataset.train.targets
        assert targets is not None
        self._shape = targets.shape[1:]
        flat_NT = targets.reshape(len(targets), -1).astype(np.float64)
        deviation_T = flat_NT.std(axis=0)
        self.register_buffer("mean", torch.tensor(flat_NT.mean(axis=0), dtype=torch.float32))
        self.register_buffer(
            "std", torch.tensor(np.where(deviation_T > 0, deviation_T, 1.0), dtype=torch.float32)
        )
        self.mean: torch.Tensor
        self.std: torch.Tensor

    def width(self, shape: tuple[int, ...]) -> int:  # noqa: ARG002 - a number for each target, whatever it is
        return len(self.mean)

    @property
    def outputs(self) -> tuple[TensorSpec, ...]:
        return (TensorSpec(name="prediction", datatype="FP32", shape=(DYNAMIC, *self._shape)),)

    def loss(self, network: nn.Module, x: torch.Tensor, targets: torch.Tensor | None) -> torch.Tensor:
        assert targets is not None
        wanted_BT = (targets.reshape(len(targets), -1) - self.mean) / self.std
        return nn.functional.mse_loss(network(x), wanted_BT)

    def answers(self, network: nn.Module, x: torch.Tensor) -> tuple[torch.Tensor, ...]:
        predicted_BT = network(x) * self.std + self.mean
        return (predicted_BT.reshape(-1, *self._shape),)

    def score(self, answers: Answers, samples: Samples) -> float:
        return max(0.0, self.scores(answers, samples).get("r2", 0.0))

    def scores(self, answers: Answers, samples: Samples) -> dict[str, float]:
        assert samples.targets is not None
        # scikit-learn, which a training does without.
        from lampyris_build.evaluation.regression import regression_scores  # noqa: PLC0415

        return regression_scores(answers[0], samples.targets)
