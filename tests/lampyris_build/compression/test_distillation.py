import copy

import pytest
import torch
from torch import nn
from torch.nn import functional

from lampyris_build.compression.context import Context
from lampyris_build.compression.distillation import _Distilling, distil
from lampyris_build.errors import InvalidRecipe
from lampyris_build.learner import Learner
from lampyris_build.models.resnet import Resnet
from lampyris_build.recipe.compression import Distillation
from lampyris_build.recipe.models import CnnModel, RecurrentModel, ResnetModel
from lampyris_build.trained import TrainedNetwork

SMALL = CnnModel(channels=(4, 8), hidden=8)


def parameters(trained: TrainedNetwork) -> int:
    return sum(one.numel() for one in trained.learner.network.parameters())


def test_a_student_of_a_fraction_of_the_size_answers_as_well(
    trained: TrainedNetwork, context: Context
) -> None:
    student = distil(trained, Distillation(student=SMALL), context)

    (probabilities,) = student.predict(context.dataset.test.inputs)
    assert parameters(student) < 0.5 * parameters(trained)
    assert (probabilities.argmax(axis=1) == context.dataset.test.targets).mean() >= 0.95


def test_the_teacher_stays_as_it_was(trained: TrainedNetwork, context: Context) -> None:
    before = copy.deepcopy(trained.learner.state_dict())

    distil(trained, Distillation(student=SMALL), context)

    after = trained.learner.state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_a_student_that_starts_from_data_is_shown_them(trained: TrainedNetwork, context: Context) -> None:
    student = distil(trained, Distillation(student=ResnetModel(channels=(4,))), context)

    assert isinstance(student.learner.network, Resnet)
    filters = student.learner.network.whitening.convolution.weight
    assert torch.equal(filters[4:], -filters[:4])  # as no random ones are


def test_the_loss_is_that_of_the_paper(trained: TrainedNetwork, context: Context) -> None:
    step = Distillation(student=SMALL, temperature=3.0, alpha=0.7)
    student = copy.deepcopy(trained.learner)
    nn.init.normal_(next(iter(student.network.parameters())))
    images = torch.from_numpy(context.dataset.train.inputs["image"][:8])
    assert context.dataset.train.targets is not None
    labels = torch.from_numpy(context.dataset.train.targets[:8])

    loss = _Distilling(student, trained.learner.network, step).eval()((images,), labels)

    x = student.preprocessing(images)
    answered, taught = student.network(x), trained.learner.network(x)
    soft = torch.softmax(taught / 3, dim=1)
    divergence = (soft * (soft.log() - torch.log_softmax(answered / 3, dim=1))).sum(dim=1).mean()
    labelled = functional.cross_entropy(answered, labels)
    torch.testing.assert_close(loss, 0.7 * 9 * divergence + 0.3 * labelled)


def test_numbers_are_learnt_by_their_distance(trained: TrainedNetwork) -> None:
    class Copying(nn.Module):
        """A task whose network gives numbers."""

        def loss(self, network: nn.Module, x: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
            return functional.mse_loss(network(x), targets)

    student = Learner(
        preprocessing=nn.Identity(),  # type: ignore[arg-type]  # none is needed
        augmentation=nn.Identity(),
        network=nn.Linear(3, 2),
        task=Copying(),  # type: ignore[arg-type]  # as much of a task as is asked for
    )
    teacher = nn.Linear(3, 2)
    x, targets = torch.randn(5, 3), torch.randn(5, 2)

    loss = _Distilling(student, teacher, Distillation(student=SMALL, alpha=0.4))((x,), targets)

    expected = 0.4 * functional.mse_loss(student.network(x), teacher(x)) + 0.6 * functional.mse_loss(
        student.network(x), targets
    )
    torch.testing.assert_close(loss, expected)


def test_a_student_that_cannot_read_the_data_is_refused(trained: TrainedNetwork, context: Context) -> None:
    with pytest.raises(InvalidRecipe, match="recurrent"):
        distil(trained, Distillation(student=RecurrentModel()), context)
