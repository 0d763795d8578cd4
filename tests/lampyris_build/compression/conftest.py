"""The corners of the whole package's tests, for networks of every kind that compression tells apart."""

from pathlib import Path

import msgspec
import pytest

from lampyris_build.compression.context import Context
from lampyris_build.data.dataset import Dataset
from lampyris_build.making import make
from lampyris_build.recipe import Recipe
from lampyris_build.recipe.models import ResnetModel
from lampyris_build.stages import Stage
from lampyris_build.tasks.task import Task
from lampyris_build.trained import TrainedNetwork


@pytest.fixture(scope="session")
def context(recipe: Recipe, dataset: Dataset, task: Task, stage: Stage) -> Context:
    return Context(recipe=recipe, dataset=dataset, task=task, calibration=dataset.train.inputs, stage=stage)


@pytest.fixture(scope="session")
def residual(recipe: Recipe, dataset: Dataset, task: Task, stage: Stage) -> TrainedNetwork:
    """A small ResNet, trained."""
    other = msgspec.structs.replace(recipe, model=ResnetModel(channels=(8, 16)))
    made = make(other, dataset, task, stage=stage)
    assert isinstance(made.trained, TrainedNetwork)
    return made.trained


@pytest.fixture(scope="session")
def residual_fp32(residual: TrainedNetwork, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small ResNet as ONNX."""
    path = tmp_path_factory.mktemp("residual") / "fp32.onnx"
    residual.export(path)
    return path
