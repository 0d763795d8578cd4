from collections.abc import Callable

import pytest
import torch
from torch import nn

from lampyris_build.models.mirrored import Mirrored

PICTURES = torch.randn(7, 3, 6, 5)


@pytest.fixture
def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(48, 2)).eval()


def test_answers_are_the_mean_over_a_picture_and_its_mirror_image(network: nn.Module) -> None:
    answers = Mirrored(network)(PICTURES)

    torch.testing.assert_close(answers, (network(PICTURES) + network(PICTURES.flip(3))) / 2)


def test_onnxruntime_agrees(network: nn.Module, onnx_difference: Callable[..., float]) -> None:
    assert onnx_difference(Mirrored(network), PICTURES) < 1e-5
