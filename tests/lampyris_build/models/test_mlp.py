from collections.abc import Callable

import torch

from lampyris_build.models.mlp import Mlp
from lampyris_build.recipe.models import MlpModel


def test_learns_what_no_line_can_divide(learn: Callable[..., float]) -> None:
    x = torch.tensor([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])

    accuracy = learn(Mlp(MlpModel(hidden=(16,)), (2,), 2), x, torch.tensor([0, 1, 1, 0]))

    assert accuracy == 1


def test_onnxruntime_agrees(onnx_difference: Callable[..., float]) -> None:
    network = Mlp(MlpModel(hidden=(8, 4), dropout=0.2), (5,), 3)

    assert onnx_difference(network, torch.randn(7, 5)) < 1e-5
