from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest
import torch
from torch import nn

from lampyris_build.data.dataset import Dataset
from lampyris_build.errors import WriteFailed
from lampyris_build.recipe import Recipe
from lampyris_build.recipe.compression import Compression
from lampyris_build.recipe.models import CnnModel
from lampyris_build.recipe.recipe import Export
from lampyris_build.recipe.sources import Augmentation, Split, Window
from lampyris_build.recipe.training import Training
from lampyris_build.training.checkpoint import Checkpoint, starting_from, training_digest

STATE = {
    "learner": {"weight": torch.arange(6.0).reshape(2, 3), "count": torch.tensor(3)},
    "optimizer": {
        "state": {0: {"step": torch.tensor(2.0), "history": [torch.ones(2), None]}},
        "betas": (0.9, 0.99),
    },
    "best": float("inf"),
    "rows": [],
}


def test_state_comes_back_as_it_was(tmp_path: Path) -> None:
    Checkpoint(tmp_path / "one", "digest").save(STATE)

    state = Checkpoint(tmp_path / "one", "digest").load()

    assert state is not None
    assert torch.equal(state["learner"]["weight"], STATE["learner"]["weight"])  # type: ignore[index]
    assert state["optimizer"]["state"][0]["step"] == 2
    assert torch.equal(state["optimizer"]["state"][0]["history"][0], torch.ones(2))
    assert state["optimizer"]["state"][0]["history"][1] is None
    assert state["optimizer"]["betas"] == (0.9, 0.99)
    assert state["best"] == float("inf")
    assert state["rows"] == []


def test_tensors_that_share_memory_are_kept(tmp_path: Path) -> None:
    tied = nn.Embedding(4, 3)
    head = nn.Linear(3, 4, bias=False)
    head.weight = tied.weight

    Checkpoint(tmp_path / "one", "digest").save({"tied": tied.state_dict(), "head": head.state_dict()})

    state = Checkpoint(tmp_path / "one", "digest").load()
    assert state is not None
    assert torch.equal(state["tied"]["weight"], state["head"]["weight"])


def test_checkpoint_of_another_training_is_not_used(tmp_path: Path) -> None:
    Checkpoint(tmp_path / "one", "digest").save(STATE)

    assert Checkpoint(tmp_path / "one", "other").load() is None


@pytest.mark.parametrize("damage", [b"", b"not a checkpoint", b"\x08\0\0\0\0\0\0\0{}      ", b"PK\x03\x04"])
def test_damaged_checkpoint_counts_as_none(tmp_path: Path, damage: bytes) -> None:
    (tmp_path / "one").write_bytes(damage)

    assert Checkpoint(tmp_path / "one", "digest").load() is None


def test_checkpoint_cut_short_counts_as_none(tmp_path: Path) -> None:
    Checkpoint(tmp_path / "one", "digest").save(STATE)
    (tmp_path / "one").write_bytes((tmp_path / "one").read_bytes()[:-5])

    assert Checkpoint(tmp_path / "one", "digest").load() is None


def test_without_a_checkpoint_there_is_nothing_to_load(tmp_path: Path) -> None:
    assert Checkpoint(tmp_path / "none", "digest").load() is None


def test_saving_leaves_nothing_but_the_checkpoint(tmp_path: Path) -> None:
    checkpoint = Checkpoint(tmp_path / "folder" / "one", "digest")

    checkpoint.save(STATE)
    checkpoint.save(STATE)

    assert [path.name for path in (tmp_path / "folder").iterdir()] == ["one"]


def test_checkpoint_is_due_when_it_is_old(tmp_path: Path) -> None:
    assert Checkpoint(tmp_path / "one", "digest", every_s=0).due
    assert not Checkpoint(tmp_path / "one", "digest", every_s=3600).due


def test_full_disk_is_told_and_leaves_the_checkpoint_before(tmp_path: Path, small_files: None) -> None:
    checkpoint = Checkpoint(tmp_path / "one", "digest")
    checkpoint.save(STATE)

    with pytest.raises(WriteFailed, match=r"one could not be written: File too large"):
        checkpoint.save({"learner": torch.zeros(100_000)})

    state = checkpoint.load()
    assert state is not None
    assert torch.equal(state["learner"]["weight"], STATE["learner"]["weight"])  # type: ignore[index]
    assert [path.name for path in tmp_path.iterdir()] == ["one"]


@pytest.mark.parametrize(
    "change",
    [
        {"seed": 4},
        {"model": CnnModel(channels=(4,))},
        {"augmentation": Augmentation(flip=True)},
        {"split": Split(validation=0.3)},
        {"window": Window(length=3)},
        {"training": Training(epochs=9)},
        {"task": "regression"},
    ],
    ids=lambda change: next(iter(change)),
)
def test_whatever_decides_the_weights_makes_another_training(
    recipe: Recipe, dataset: Dataset, change: dict[str, Any]
) -> None:
    changed = msgspec.structs.replace(recipe, **change)

    assert training_digest(changed, dataset) != training_digest(recipe, dataset)


def test_other_data_make_another_training(recipe: Recipe, dataset: Dataset) -> None:
    other = replace(dataset, digest="other")

    assert training_digest(recipe, other) != training_digest(recipe, dataset)


def test_what_follows_the_training_leaves_it_the_same(recipe: Recipe, dataset: Dataset) -> None:
    training = msgspec.structs.replace(recipe.training or Training(epochs=1), log="tensorboard")
    changed = msgspec.structs.replace(
        recipe, training=training, compression=Compression(), export=Export(min_score=0.1)
    )

    assert training_digest(changed, dataset) == training_digest(recipe, dataset)


def test_module_that_changed_makes_another_training() -> None:
    torch.manual_seed(0)
    network, wider, same = nn.Linear(2, 3), nn.Linear(2, 4), nn.Linear(2, 3)
    same.load_state_dict(network.state_dict())

    assert starting_from("one", network) == starting_from("one", same)
    assert starting_from("one", network) != starting_from("other", network)
    assert starting_from("one", network) != starting_from("one", wider)
