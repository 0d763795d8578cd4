"""A problem so small that it is learnt in a second: which corner of a picture of 8 x 8 pixels is bright."""

from io import StringIO
from pathlib import Path

import numpy as np
import pytest
import torch
from rich.console import Console

from lampyris_build.recipe import Recipe, load_recipe

CORNERS = ("top-left", "top-right", "bottom-left", "bottom-right")

RECIPE = """
name = "corners"
seed = 3

[dataset]
source = "npz"
path = "{path}"

[model]
architecture = "cnn"
channels = [8, 16]
hidden = 16

[training]
epochs = 4
batch_size = 32
learning_rate = 1e-2

[export]
min_accuracy = 0.9
"""


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> None:
    # So small a network gains nothing from a second, and waits for it where the tests run side by side.
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def corners(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An .npz with 400 noisy pictures in four classes."""
    rng = np.random.default_rng(0)
    labels = np.arange(400) % len(CORNERS)
    pictures = rng.integers(0, 120, (400, 8, 8), dtype=np.uint8)
    for picture, label in zip(pictures, labels, strict=True):
        top, left = divmod(int(label), 2)
        picture[4 * top : 4 * top + 4, 4 * left : 4 * left + 4] += 100
    path = tmp_path_factory.mktemp("data") / "corners.npz"
    np.savez(path, x_train=pictures, y_train=np.array(CORNERS)[labels])
    return path


@pytest.fixture(scope="session")
def recipe(corners: Path, tmp_path_factory: pytest.TempPathFactory) -> Recipe:
    path = tmp_path_factory.mktemp("recipe") / "corners.toml"
    path.write_text(RECIPE.format(path=corners))
    return load_recipe(path)


@pytest.fixture
def console() -> Console:
    """A console whose `file` tells what was printed."""
    return Console(file=StringIO(), width=120)
