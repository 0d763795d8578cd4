from pathlib import Path

import msgspec
import pytest
import torch
from torch import nn, optim

from lampyris_build.checkpoint import Checkpoint, training_digest
from lampyris_build.data import load_dataset
from lampyris_build.recipe import Compression, Recipe


def model_and_optimizer() -> tuple[nn.Module, optim.Optimizer]:
    model = nn.Linear(3, 2)
    return model, optim.AdamW(model.parameters())


def test_checkpoint_brings_back_weights_and_random_state(tmp_path: Path) -> None:
    model, optimizer = model_and_optimizer()
    Checkpoint(tmp_path / "one.checkpoint", "digest").save(3, model, optimizer)
    expected = torch.rand(4)
    other, other_optimizer = model_and_optimizer()

    epochs = Checkpoint(tmp_path / "one.checkpoint", "digest").restore(other, other_optimizer)

    assert epochs == 3
    assert torch.equal(other.state_dict()["weight"], model.state_dict()["weight"])
    assert torch.equal(torch.rand(4), expected)


@pytest.mark.parametrize("damage", [b"", b"not a checkpoint", b"PK\x03\x04"])
def test_damaged_checkpoint_counts_as_none(tmp_path: Path, damage: bytes) -> None:
    path = tmp_path / "one.checkpoint"
    path.write_bytes(damage)

    assert Checkpoint(path, "digest").restore(*model_and_optimizer()) == 0


def test_checkpoint_cut_short_counts_as_none(tmp_path: Path) -> None:
    path = tmp_path / "one.checkpoint"
    Checkpoint(path, "digest").save(1, *model_and_optimizer())
    path.write_bytes(path.read_bytes()[:-100])

    assert Checkpoint(path, "digest").restore(*model_and_optimizer()) == 0


def test_saving_leaves_nothing_but_the_checkpoint(tmp_path: Path) -> None:
    checkpoint = Checkpoint(tmp_path / "one.checkpoint", "digest")

    checkpoint.save(1, *model_and_optimizer())
    checkpoint.save(2, *model_and_optimizer())

    assert [path.name for path in tmp_path.iterdir()] == ["one.checkpoint"]


def test_digest_covers_what_decides_the_weights_and_nothing_else(recipe: Recipe) -> None:
    dataset = load_dataset(recipe)
    fp32 = msgspec.structs.replace(recipe, compression=Compression(precision="fp32"))
    other = msgspec.structs.replace(recipe, seed=4)

    assert training_digest(recipe, dataset) == training_digest(fp32, dataset)
    assert training_digest(recipe, dataset) != training_digest(other, dataset)
