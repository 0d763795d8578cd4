"""What comes next in a text.

Shape suffixes: B batch, T tokens, V vocabulary.
"""

import numpy as np
import torch
from torch import nn

from lampyris.domain.signature import DYNAMIC, TensorSpec
from lampyris_build.data.dataset import Dataset, Samples
from lampyris_build.evaluation.generation import language_scores
from lampyris_build.recipe import Recipe
from lampyris_build.tasks.task import Answers, Task


class Language(Task):
    """A network gives logits for the token after each of (B, T).

    The score is how often the likeliest is right.
    """

    def __init__(self, dataset: Dataset, recipe: Recipe) -> None:
        super().__init__(dataset)
        assert dataset.classes is not None
        self.classes = dataset.classes

    def width(self, shape: tuple[int, ...]) -> int:  # noqa: ARG002 - a logit for each class, whatever it is
        return len(self.classes)

    @property
    def outputs(self) -> tuple[TensorSpec, ...]:
        return (TensorSpec(name="logits", datatype="FP32", shape=(DYNAMIC, DYNAMIC, len(self.classes))),)

    def loss(self, network: nn.Module, x: torch.Tensor, targets: torch.Tensor | None) -> torch.Tensor:
        assert targets is not None
        logits_BTV = network(x)
        return nn.functional.cross_entropy(logits_BTV.flatten(0, 1), targets.flatten())

    def answers(self, network: nn.Module, x: torch.Tensor) -> tuple[torch.Tensor, ...]:
        return (network(x),)

    def score(self, answers: Answers, samples: Samples) -> float:
        return float((answers[0].argmax(axis=-1) == samples.targets).mean())

    def scores(self, answers: Answers, samples: Samples) -> dict[str, float]:
        assert samples.targets is not None
        return language_scores(answers[0].astype(np.float32), samples.targets)
