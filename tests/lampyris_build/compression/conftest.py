"""The corners of the whole package's tests, and graphs as publishing leaves them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import onnx
import onnx.parser
import onnxruntime
import pytest
from numpy.typing import NDArray
from onnx import numpy_helper

from lampyris_build.compression.context import Context
from lampyris_build.data.dataset import Dataset
from lampyris_build.making import make
from lampyris_build.recipe import Recipe
from lampyris_build.recipe.models import ResnetModel
from lampyris_build.stages import Stage
from lampyris_build.tasks.task import Task
from lampyris_build.trained import TrainedNetwork

Serve = Callable[[Path], onnx.GraphProto]
Write = Callable[..., Path]


@pytest.fixture(scope="session")
def context(recipe: Recipe, dataset: Dataset, task: Task, stage: Stage) -> Context:
    return Context(recipe=recipe, dataset=dataset, task=task, calibration=dataset.train.inputs, stage=stage)


@pytest.fixture(scope="session")
def residual(recipe: Recipe, dataset: Dataset, task: Task, stage: Stage) -> TrainedNetwork:
    """A small ResNet, trained."""
    assert recipe.training is not None
    training = msgspec.structs.replace(recipe.training, epochs=12)
    other = msgspec.structs.replace(recipe, model=ResnetModel(channels=(8, 16, 16)), training=training)
    made = make(other, dataset, task, stage=stage)
    assert isinstance(made.trained, TrainedNetwork)
    return made.trained


@pytest.fixture(scope="session")
def residual_fp32(residual: TrainedNetwork, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small ResNet as ONNX."""
    path = tmp_path_factory.mktemp("residual") / "fp32.onnx"
    residual.export(path)
    return path


@pytest.fixture
def served(tmp_path: Path) -> Serve:
    """Return the graph that is left of a model after the optimisation that `publish` applies."""

    def serve(model: Path) -> onnx.GraphProto:
        options = onnxruntime.SessionOptions()
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
        options.optimized_model_filepath = str(tmp_path / "served.onnx")
        onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
        return onnx.load(tmp_path / "served.onnx").graph

    return serve


@pytest.fixture
def written(tmp_path: Path) -> Write:
    """Write a model in onnx's own language, and the constants that it names."""

    def write(text: str, **constants: NDArray[Any]) -> Path:
        path = tmp_path / "written.onnx"
        header = '<ir_version: 9, opset_import: ["": 18, "ai.onnx.ml": 3, "com.microsoft": 1]>'
        model = onnx.parser.parse_model(f"{header} model {text}")
        model.graph.initializer.extend(
            numpy_helper.from_array(values, name) for name, values in constants.items()
        )
        onnx.save(model, path)
        return path

    return write
