"""A trained model in an .onnx file."""

from pathlib import Path
from typing import Final

import onnx
import onnxruntime

from lampyris.domain.datatypes import DATATYPE_OF_ONNX
from lampyris.domain.signature import DYNAMIC, TensorSpec
from lampyris_build.data.dataset import Inputs
from lampyris_build.errors import InvalidRecipe, in_a_line
from lampyris_build.evaluation.session import open_session
from lampyris_build.imports.adaptation import Interface, adapt
from lampyris_build.imports.imported import Imported
from lampyris_build.recipe.models import OnnxModel
from lampyris_build.tasks.task import Answers, Task

_AS_IT_IS: Final = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL


def import_onnx(model: OnnxModel, task: Task, samples: Inputs) -> Imported:
    """Take in a model from its file; its weights may be in files beside it.

    Raises: InvalidRecipe if it is no model that can be run, or does not take what the dataset holds.
    """
    told = f"model.path {model.path}"
    path = Path(model.path).expanduser()
    if not path.is_file():
        raise InvalidRecipe(reason=f"{told}: there is no such file.")
    try:
        session = open_session(path, level=_AS_IT_IS)
        graph = onnx.load(path)
    # onnxruntime's errors have no class in common.
    except Exception as error:
        raise InvalidRecipe(
            reason=f"{told} is no ONNX model that onnxruntime runs: {in_a_line(error)}"
        ) from error

    def run(inputs: Inputs) -> Answers:
        answers: Answers = session.run(None, dict(inputs))
        return answers

    interface = Interface(
        told=told,
        inputs=tuple(_spec(one) for one in session.get_inputs() if one.type in DATATYPE_OF_ONNX),
        outputs=tuple(_spec(one) if one.type in DATATYPE_OF_ONNX else None for one in session.get_outputs()),
    )
    return Imported(graph, adapt(interface, task, run, samples), run, task)


def _spec(one: onnxruntime.NodeArg) -> TensorSpec:
    return TensorSpec(
        name=one.name,
        datatype=DATATYPE_OF_ONNX[one.type],
        shape=tuple(size if isinstance(size, int) else DYNAMIC for size in one.shape),
    )
