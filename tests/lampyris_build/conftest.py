"""A problem so small that it is learnt in a second: which corner of a picture of 8 x 8 pixels is bright."""

from collections.abc import Iterator
from io import StringIO
from pathlib import Path

import numpy as np
import pytest
import torch
from rich.console import Console
from threadpoolctl import threadpool_limits

from lampyris_build.compression.context import Context
from lampyris_build.compression.static_int8 import static_int8
from lampyris_build.data import load_dataset
from lampyris_build.data.dataset import Dataset
from lampyris_build.making import make
from lampyris_build.recipe import Recipe, load_recipe
from lampyris_build.recipe.compression import StaticInt8
from lampyris_build.stages import Stage, Stages
from lampyris_build.tasks import task_for
from lampyris_build.tasks.task import Task
from lampyris_build.trained import TrainedNetwork

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

[[compression.steps]]
step = "static-int8"

[export]
min_score = 0.9
"""


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> Iterator[None]:
    # So small a model gains nothing from a second, and waits for it where other programs run beside it.
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    with threadpool_limits(1, user_api="openmp"):  # scikit-learn's
        yield
    torch.set_num_threads(threads)


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
def stage() -> Iterator[Stage]:
    """A stage that nobody sees."""
    with Stages(Console(file=StringIO())) as stages, stages.stage("any") as stage:
        yield stage


@pytest.fixture(scope="session")
def task(recipe: Recipe, dataset: Dataset) -> Task:
    return task_for(recipe, dataset)


@pytest.fixture(scope="session")
def trained(recipe: Recipe, dataset: Dataset, task: Task, stage: Stage) -> TrainedNetwork:
    """The recipe's network, trained."""
    made = make(recipe, dataset, task, stage=stage)
    assert isinstance(made.trained, TrainedNetwork)
    return made.trained


@pytest.fixture(scope="session")
def fp32(trained: TrainedNetwork, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The trained network as ONNX."""
    path = tmp_path_factory.mktemp("model") / "fp32.onnx"
    trained.export(path)
    return path


@pytest.fixture(scope="session")
def int8(recipe: Recipe, dataset: Dataset, task: Task, stage: Stage, fp32: Path) -> Path:
    """The trained network, compressed."""
    path = fp32.with_name("int8.onnx")
    context = Context(
        recipe=recipe, dataset=dataset, task=task, calibration=dataset.train.inputs, stage=stage
    )
    static_int8(fp32, StaticInt8(), context, path)
    return path
