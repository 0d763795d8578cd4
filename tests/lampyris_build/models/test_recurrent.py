from collections import Counter
from collections.abc import Callable
from pathlib import Path

import onnx
import pytest
import torch

from lampyris_build.models.recurrent import Recurrent
from lampyris_build.recipe.models import RecurrentModel


@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_remembers_the_first_moment_of_a_series(cell: str, learn: Callable[..., float]) -> None:
    series = torch.randn(64, 8, 1)
    model = RecurrentModel(cell=cell, hidden=16)  # type: ignore[arg-type]  # one of two words

    accuracy = learn(Recurrent(model, (8, 1), 2), series, (series[:, 0, 0] > 0).long(), steps=100)

    assert accuracy > 0.95


@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_onnxruntime_agrees_with_one_operator_for_each_layer(
    cell: str, onnx_difference: Callable[..., float], tmp_path: Path
) -> None:
    model = RecurrentModel(cell=cell, hidden=4, layers=2, dropout=0.2)  # type: ignore[arg-type]  # as above

    assert onnx_difference(Recurrent(model, (6, 3), 2), torch.randn(7, 6, 3)) < 1e-5
    operators = Counter(node.op_type for node in onnx.load(tmp_path / "module.onnx").graph.node)
    assert operators[cell.upper()] == 2
