"""Distillation: a smaller network learns what the larger one answers, which says more than labels do.

Source: Hinton, Vinyals and Dean 2015 (distilling the knowledge in a neural network).

Shape suffixes: B batch, K classes.
"""

import copy

import torch
from torch import nn
from torch.nn import functional

from lampyris_build.compression.context import Context
from lampyris_build.compression.fine_tuning import train_anew
from lampyris_build.learner import Learner
from lampyris_build.models import network_for
from lampyris_build.recipe.compression import Distillation
from lampyris_build.tasks.classification import Classification
from lampyris_build.tasks.language import Language
from lampyris_build.trained import TrainedNetwork


def distil(teacher: TrainedNetwork, step: Distillation, context: Context) -> TrainedNetwork:
    """Return the student, trained. Raises: InvalidRecipe, TrainingDiverged."""
    settings = step.training or context.recipe.training
    assert settings is not None
    torch.manual_seed(context.recipe.seed)
    old = teacher.learner
    shape = old.preprocessing.shape
    learner = Learner(
        preprocessing=copy.deepcopy(old.preprocessing),
        augmentation=old.augmentation,
        network=network_for(step.student, shape, old.task.width(shape), old.preprocessing.vocabulary_size),
        task=old.task,
        mirrors=old.mirrors,
    )
    learner.start_from(context.dataset.train, teacher.encoding)
    train_anew(_Distilling(learner, old.network, step), teacher, context, settings)
    return TrainedNetwork(learner, teacher.encoding, teacher.example)


class _Distilling(nn.Module):
    """The student's learner, with the loss that the teacher adds: what training takes for a learner."""

    def __init__(self, student: Learner, teacher: nn.Module, step: Distillation) -> None:
        super().__init__()
        self.student = student
        # In a tuple it is no part of this module: it is neither trained nor kept with the student's weights.
        self._teacher = (teacher.eval(),)
        self._step = step
        self._has_logits = isinstance(student.task, Classification | Language)

    def forward(self, inputs: tuple[torch.Tensor, ...], targets: torch.Tensor | None) -> torch.Tensor:
        x = self.student.preprocessing(*inputs)
        if self.training:
            x = self.student.augmentation(x)
        with torch.no_grad():
            taught = self._teacher[0](x)
        answered = self.student.network(x)
        own = self.student.task.loss(_Answered(answered), x, targets)
        return self._step.alpha * self._imitation(answered, taught) + (1 - self._step.alpha) * own

    def _imitation(self, answered: torch.Tensor, taught: torch.Tensor) -> torch.Tensor:
        """Say how far the student is from the teacher; softened gradients are scaled back."""
        if not self._has_logits:
            return functional.mse_loss(answered, taught)
        temperature = self._step.temperature
        return temperature**2 * functional.kl_div(
            functional.log_softmax(answered.flatten(0, -2) / temperature, dim=-1),
            functional.log_softmax(taught.flatten(0, -2) / temperature, dim=-1),
            reduction="batchmean",
            log_target=True,
        )


class _Answered(nn.Module):
    """Stands for a network that has answered already."""

    def __init__(self, answered: torch.Tensor) -> None:
        super().__init__()
        self._answered = answered

    def forward(self, x: torch.Tensor) -> torch.Tensor:  # noqa: ARG002 - the answer is there
        return self._answered
