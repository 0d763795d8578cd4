"""Pictures from random numbers.

Shape suffixes: B batch, Z random numbers, H height, W width, C channels.
"""

from collections.abc import Callable
from dataclasses import replace
from math import prod
from typing import Any

import numpy as np
import torch
from torch import nn

from lampyris.domain.signature import DYNAMIC, TensorSpec
from lampyris_build.data.dataset import Dataset, Samples
from lampyris_build.errors import InvalidRecipe
from lampyris_build.preprocessing.module import Preprocessing
from lampyris_build.recipe import Recipe
from lampyris_build.recipe.models import GanModel
from lampyris_build.tasks.task import Answers, Task

_WHITE = 255.0
_ASKED = 256  # pictures


class Pixels(nn.Module):
    """Raw pixels (B, H, W, C), 0 to 255, to (B, C, H, W) from -1 to 1, which is what a generator gives."""

    def forward(self, images_BHWC: torch.Tensor) -> torch.Tensor:
        return images_BHWC.permute(0, 3, 1, 2).to(torch.float32) / (_WHITE / 2) - 1


class Generation(Task):
    """A network has `generate` and a `loss` of its own; served are pictures (B, H, W, C), 0 to 255.

    Nothing says which picture is right. So the score is how near the pictures are to those of the model
    before it was compressed, from the same random numbers: 1 less the mean difference, where 1 is from black
    to white.
    """

    def __init__(self, dataset: Dataset, recipe: Recipe) -> None:
        super().__init__(dataset)
        if not dataset.holds_images:
            raise InvalidRecipe(
                recipe=recipe.name, reason=f"task generation needs pictures; {dataset.name} has none."
            )
        if not isinstance(recipe.model, GanModel):
            raise InvalidRecipe(recipe=recipe.name, reason="task generation needs model.architecture gan.")
        self._shape = dataset.features[0].shape
        self._latent = recipe.model.latent
        self._seed = recipe.seed

    def width(self, shape: tuple[int, ...]) -> int:
        return prod(shape)

    @property
    def inputs(self) -> tuple[TensorSpec, ...]:
        return (TensorSpec(name="latent", datatype="FP32", shape=(DYNAMIC, self._latent)),)

    @property
    def outputs(self) -> tuple[TensorSpec, ...]:
        return (TensorSpec(name="image", datatype="UINT8", shape=(DYNAMIC, *self._shape)),)

    def preprocessing(self, train: Samples) -> Preprocessing:  # noqa: ARG002 - pixels have a scale of their own
        height, width, channels = self._shape
        return Preprocessing(Pixels(), (channels, height, width))

    def loss(self, network: nn.Module, x: torch.Tensor, targets: torch.Tensor | None) -> torch.Tensor:  # noqa: ARG002 - there are none
        loss: torch.Tensor = network.loss(x)  # type: ignore[operator]  # the network's own, as above
        return loss

    def answers(self, network: nn.Module, x: torch.Tensor) -> tuple[torch.Tensor, ...]:
        pictures_BCHW = network.generate(x)  # type: ignore[operator]  # as above
        pixels = (pictures_BCHW.permute(0, 2, 3, 1) + 1) * (_WHITE / 2)
        return (pixels.round().clamp(0.0, _WHITE).to(torch.uint8),)

    def serve(
        self,
        preprocessing: nn.Module,  # noqa: ARG002 - random numbers need none
        network: nn.Module,
        inputs: tuple[torch.Tensor, ...],
    ) -> tuple[torch.Tensor, ...]:
        return self.answers(network, *inputs)

    def asked(self, samples: Samples) -> Samples:
        count = min(_ASKED, len(samples))
        latent = np.random.default_rng(self._seed).standard_normal((count, self._latent), dtype=np.float32)
        return Samples(inputs={"latent": latent}, targets=None)

    def expecting(self, asked: Samples, answer: Callable[[], Answers]) -> Samples:
        return replace(asked, targets=answer()[0])

    def scores(self, answers: Answers, samples: Samples) -> dict[str, float]:
        return {"fidelity": self.score(answers, samples)}

    def score(self, answers: Answers, samples: Samples) -> float:
        if samples.targets is None:
            return 1.0
        difference: Any = np.abs(answers[0].astype(np.float32) - samples.targets)
        return 1.0 - float(difference.mean()) / _WHITE
