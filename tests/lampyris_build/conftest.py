"""A problem so small that it is learnt in a second: which corner of a picture of 8 x 8 pixels is bright."""

from io import StringIO
from pathlib import Path

import numpy as np
import pytest
import torch
from rich.console import Console

from lampyris_build.checkpoint import Checkpoint
from lampyris_build.compression import quantize
from lampyris_build.data import load_dataset
from lampyris_build.data.dataset import Dataset
from lampyris_build.export import export_onnx
from lampyris_build.preprocessing import Classifier
from lampyris_build.recipe import Recipe, load_recipe
from lampyris_build.stages import Stages
from lampyris_build.training import train

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


@pytest.fixture(scope="session")
def dataset(recipe: Recipe) -> Dataset:
    return load_dataset(recipe)


@pytest.fixture(scope="session")
def classifier(recipe: Recipe, dataset: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Classifier:
    """The recipe's network, trained."""
    checkpoint = Checkpoint(tmp_path_factory.mktemp("checkpoint") / "corners", "corners")
    with Stages(Console(file=StringIO())) as stages, stages.stage("training") as stage:
        return train(recipe, dataset, checkpoint=checkpoint, stage=stage)


@pytest.fixture(scope="session")
def fp32(classifier: Classifier, dataset: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The trained classifier as ONNX."""
    path = tmp_path_factory.mktemp("model") / "fp32.onnx"
    export_onnx(classifier, dataset, path)
    return path


@pytest.fixture(scope="session")
def int8(fp32: Path, dataset: Dataset) -> Path:
    """The trained classifier, compressed."""
    path = fp32.with_name("int8.onnx")
    quantize(fp32, "image", dataset.train.inputs, path)
    return path
