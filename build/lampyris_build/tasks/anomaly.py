"""How unusual a sample is: how badly a network that learnt what is usual can bring it back.

Shape suffixes: N samples, B batch, F values of a preprocessed sample.
"""

from math import prod

import numpy as np
import torch
from sklearn.metrics import roc_auc_score
from torch import nn

from lampyris.domain.signature import DYNAMIC, TensorSpec
from lampyris_build.data.dataset import Samples
from lampyris_build.tasks.task import Answers, Task


class Anomaly(Task):
    """A network gives back what it was given, (B, F); served is the mean squared error of each sample, (B,).

    Preprocessed values have mean 0 and deviation 1, so an error of 1 is that of knowing nothing. Targets,
    where there are any, are 1 for what is unusual: such samples are not learnt. The score is then the area
    under the ROC curve; without targets it is the share of the variance that comes back.
    """

    def width(self, shape: tuple[int, ...]) -> int:
        return prod(shape)

    @property
    def outputs(self) -> tuple[TensorSpec, ...]:
        return (TensorSpec(name="score", datatype="FP32", shape=(DYNAMIC,)),)

    def loss(self, network: nn.Module, x: torch.Tensor, targets: torch.Tensor | None) -> torch.Tensor:
        (errors_B,) = self.answers(network, x)
        if targets is None:
            return errors_B.mean()
        usual_B = (targets == 0).to(errors_B.dtype)
        return (errors_B * usual_B).sum() / usual_B.sum().clamp(min=1)

    def answers(self, network: nn.Module, x: torch.Tensor) -> tuple[torch.Tensor, ...]:
        return (((network(x) - x.flatten(1)) ** 2).mean(dim=1),)

    def score(self, answers: Answers, samples: Samples) -> float:
        (errors_N,) = answers
        if samples.targets is None or len(np.unique(samples.targets)) == 1:
            return max(0.0, 1.0 - float(errors_N.mean()))
        return float(roc_auc_score(samples.targets, errors_N))

    def scores(self, answers: Answers, samples: Samples) -> dict[str, float]:
        scores = {"reconstruction_error": float(answers[0].mean())}
        if samples.targets is not None and len(np.unique(samples.targets)) > 1:
            scores["auc"] = float(roc_auc_score(samples.targets, answers[0]))
        return scores
