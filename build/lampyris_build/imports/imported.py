"""A model that came trained, as an ONNX graph and as its own framework runs it."""

from pathlib import Path

import onnx

from lampyris_build.data.dataset import Inputs
from lampyris_build.imports.adaptation import Adaptation, Runner
from lampyris_build.tasks.task import Answers, Task
from lampyris_build.trained import in_batches


class Imported:
    """`run` computes what `model` does, in the framework that made it; `adaptation` fits both to the data."""

    def __init__(self, model: onnx.ModelProto, adaptation: Adaptation, run: Runner, task: Task) -> None:
        self._model = model
        self._adaptation = adaptation
        self._run = run
        self.signature = task.signature

    def predict(self, inputs: Inputs) -> Answers:
        return in_batches(
            inputs, lambda batch: self._adaptation.after(self._run(self._adaptation.before(batch)))
        )

    def export(self, path: Path) -> None:
        onnx.save(self._adaptation.apply(self._model), path)
