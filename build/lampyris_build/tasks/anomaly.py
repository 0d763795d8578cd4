"""How unusual a sample is: how badly a network that learnt what is usual can bring it back.

Shape suffixes: N samples, B batch, F values of a preprocessed sample.
"""

from math import prod

import torch
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
        scores = self.scores(answers, samples)
        return scores.get("roc_auc", max(0.0, 1.0 - scores["reconstruction_error"]))

    def scores(self, answers: Answers, samples: Samples) -> dict[str, float]:
        is_anomaly_N = None if samples.targets is None else samples.targets == 1
        # scikit-learn, which a training does without.
        from lampyris_build.evaluation.anomaly import anomaly_scores  # noqa: PLC0415

        return anomaly_scores(answers[0], is_anomaly_N)
