"""Which of several classes a sample belongs to.

Shape suffixes: N samples, B batch, K classes.
"""

import torch
from torch import nn

from lampyris.domain.signature import DYNAMIC, TensorSpec
from lampyris_build.data.dataset import Dataset, Samples
from lampyris_build.tasks.task import Answers, Task


class Classification(Task):
    """A network gives logits (B, K); served are probabilities (B, K). The score is the accuracy."""

    def __init__(self, dataset: Dataset, *, label_smoothing: float) -> None:
        super().__init__(dataset)
        assert dataset.classes is not None
        self.classes = dataset.classes
        self._label_smoothing = label_smoothing

    def width(self, shape: tuple[int, ...]) -> int:  # noqa: ARG002 - a logit for each class, whatever it is
        return len(self.classes)

    @property
    def outputs(self) -> tuple[TensorSpec, ...]:
        return (TensorSpec(name="probabilities", datatype="FP32", shape=(DYNAMIC, len(self.classes))),)

    @property
    def labels(self) -> tuple[str, ...]:
        return self.classes

    def loss(self, network: nn.Module, x: torch.Tensor, targets: torch.Tensor | None) -> torch.Tensor:
        assert targets is not None
        return nn.functional.cross_entropy(network(x), targets, label_smoothing=self._label_smoothing)

    def answers(self, network: nn.Module, x: torch.Tensor) -> tuple[torch.Tensor, ...]:
        return (torch.softmax(network(x), dim=-1),)

    def score(self, answers: Answers, samples: Samples) -> float:
        return float((answers[0].argmax(axis=1) == samples.targets).mean())

    def scores(self, answers: Answers, samples: Samples) -> dict[str, float]:
        assert samples.targets is not None
        # scikit-learn, which a training does without.
        from lampyris_build.evaluation.classification import classification_scores  # noqa: PLC0415

        return classification_scores(answers[0], samples.targets)
