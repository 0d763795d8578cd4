"""What comes next in a text.

Shape suffixes: B batch, T tokens, V vocabulary.
"""

from typing import Final

import numpy as np
import torch
from torch import nn

from lampyris.domain.signature import DYNAMIC, TensorSpec
from lampyris_build.data.dataset import Dataset, Samples
from lampyris_build.errors import InvalidRecipe
from lampyris_build.evaluation.generation import language_scores
from lampyris_build.models.gpt import cache_shape
from lampyris_build.recipe import Recipe
from lampyris_build.recipe.models import GptModel
from lampyris_build.tasks.task import Answers, Task

_ASKED: Final = 64  # windows: each answer brings a whole cache


class Language(Task):
    """A network gives logits for the token after each of (B, T).

    Served is a step: tokens, the position of the first of them and a cache of keys and values, empty (0) at
    first, to logits and the cache to go on with. The score is how often the likeliest token is right.
    """

    def __init__(self, dataset: Dataset, recipe: Recipe) -> None:
        super().__init__(dataset)
        if dataset.features[0].kind != "tokens" or dataset.classes is None:
            raise InvalidRecipe(
                recipe=recipe.name,
                reason=f"task language needs tokens: dataset.source text; {dataset.name} has none.",
            )
        if not isinstance(recipe.model, GptModel):
            raise InvalidRecipe(recipe=recipe.name, reason="task language needs model.architecture gpt.")
        self.classes = dataset.classes
        (context,) = dataset.features[0].shape
        self._cache = cache_shape(recipe.model, context)

    def width(self, shape: tuple[int, ...]) -> int:  # noqa: ARG002 - a logit for each class, whatever it is
        return len(self.classes)

    @property
    def inputs(self) -> tuple[TensorSpec, ...]:
        return (
            TensorSpec(name="tokens", datatype="INT64", shape=(DYNAMIC, DYNAMIC)),
            TensorSpec(name="position", datatype="INT64", shape=(DYNAMIC,)),
            TensorSpec(name="keys", datatype="FP32", shape=(DYNAMIC, *self._cache)),
            TensorSpec(name="values", datatype="FP32", shape=(DYNAMIC, *self._cache)),
        )

    @property
    def outputs(self) -> tuple[TensorSpec, ...]:
        return (
            TensorSpec(name="logits", datatype="FP32", shape=(DYNAMIC, DYNAMIC, len(self.classes))),
            TensorSpec(name="present_keys", datatype="FP32", shape=(DYNAMIC, *self._cache)),
            TensorSpec(name="present_values", datatype="FP32", shape=(DYNAMIC, *self._cache)),
        )

    def loss(self, network: nn.Module, x: torch.Tensor, targets: torch.Tensor | None) -> torch.Tensor:
        assert targets is not None
        logits_BTV = network(x)
        return nn.functional.cross_entropy(logits_BTV.flatten(0, 1), targets.flatten())

    def answers(self, network: nn.Module, x: torch.Tensor) -> tuple[torch.Tensor, ...]:
        return (network(x),)

    def serve(
        self,
        preprocessing: nn.Module,  # noqa: ARG002 - tokens need none
        network: nn.Module,
        inputs: tuple[torch.Tensor, ...],
    ) -> tuple[torch.Tensor, ...]:
        answers: tuple[torch.Tensor, ...] = network.step(*inputs)  # type: ignore[operator]  # the network's own
        return answers

    def asked(self, samples: Samples) -> Samples:
        """Return some of the samples, each to be read at once from an empty cache."""
        some = samples.take(slice(0, _ASKED))
        empty = (len(some), *self._cache)
        return Samples(
            inputs={
                "tokens": np.asarray(some.inputs["tokens"]),
                "position": np.zeros(len(some), np.int64),
                "keys": np.zeros(empty, np.float32),
                "values": np.zeros(empty, np.float32),
            },
            targets=some.targets,
        )

    def score(self, answers: Answers, samples: Samples) -> float:
        return float((answers[0].argmax(axis=-1) == samples.targets).mean())

    def scores(self, answers: Answers, samples: Samples) -> dict[str, float]:
        assert samples.targets is not None
        return language_scores(answers[0].astype(np.float32), samples.targets)
