from pathlib import Path

import pytest
import torch

from lampyris_build.errors import InvalidRecipe
from lampyris_build.imports.torch_module import torch_module
from lampyris_build.recipe.models import TorchModel

NETS = """
import torch
from torch import nn

class Net(nn.Module):
    def __init__(self, hidden=4, outputs=3):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Flatten(), nn.Linear(12, hidden), nn.BatchNorm1d(hidden), nn.Linear(hidden, outputs)
        )

    def forward(self, x):
        return self.layers(x)

class Words(nn.Module):
    def __init__(self, by_word):
        super().__init__()
        self.table, self.by_word = nn.Embedding(10, 3), by_word

    def forward(self, ids):
        return self.table(ids) if self.by_word else self.table(ids).mean(dim=1)

def pair(x):
    return x, x

def text():
    return "a net"
"""


@pytest.fixture(autouse=True)
def _own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "torch_nets.py").write_text(NETS)
    monkeypatch.chdir(tmp_path)


def test_module_is_made_with_its_arguments_ready_to_be_trained() -> None:
    model = TorchModel(module="torch_nets:Net", arguments={"hidden": 6, "outputs": 2})

    module = torch_module(model, (3, 2, 2), 2, 0)

    assert module(torch.zeros(5, 3, 2, 2)).shape == (5, 2)
    assert module.training
    assert module.state_dict()["layers.2.num_batches_tracked"] == 1  # the trial left no trace


@pytest.mark.parametrize("by_word", [False, True])
def test_module_may_read_words_and_answer_for_each(by_word: bool) -> None:  # noqa: FBT001 - what differs
    model = TorchModel(module="torch_nets:Words", arguments={"by_word": by_word})

    module = torch_module(model, (7,), 3, 10)

    assert module(torch.zeros(2, 7, dtype=torch.int64)).shape == ((2, 7, 3) if by_word else (2, 3))


@pytest.mark.parametrize(
    ("module", "arguments", "sentence"),
    [
        (
            "Net",
            {"outputs": 5},
            r"makes \(2, 5\) of a batch .* it must give \(2, 3\): raw outputs, 3 for each",
        ),
        ("Net", {"depth": 5}, r"torch_nets:Net\(depth=5\) fails: TypeError: .*'depth'"),
        ("text", {}, r"gives str; it must give an nn\.Module"),
        ("Words", {"by_word": True}, r"cannot take a batch of 2 .* \(2, 3, 2, 2\) float32, as RuntimeError"),
    ],
)
def test_module_that_does_not_fit_is_told(module: str, arguments: dict[str, object], sentence: str) -> None:
    model = TorchModel(module=f"torch_nets:{module}", arguments=arguments)

    with pytest.raises(InvalidRecipe, match=sentence):
        torch_module(model, (3, 2, 2), 3, 0)
