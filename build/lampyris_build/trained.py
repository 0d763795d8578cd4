"""What the stage of the model ends with, whichever framework made it."""

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import numpy as np
import torch

from lampyris.domain.signature import Signature
from lampyris_build.data.dataset import Inputs
from lampyris_build.export import export_network
from lampyris_build.learner import Learner
from lampyris_build.preprocessing.encoding import Encoding
from lampyris_build.tasks.task import Answers, as_tensors

_BATCH = 256


class Trained(Protocol):
    """A model that answers raw inputs in the framework that made it, and becomes ONNX."""

    @property
    def signature(self) -> Signature: ...

    def predict(self, inputs: Inputs) -> Answers:
        """Answer all rows, whatever batches that takes; the outputs are those of the signature, in order."""
        ...

    def export(self, path: Path) -> None: ...


class TrainedNetwork:
    """A network of torch, with what stands before it.

    Strings become numbers in `encoding`; the rest is in `learner`. `example` are two raw samples of what it
    is asked, to export it with.
    """

    def __init__(self, learner: Learner, encoding: Encoding, example: Inputs) -> None:
        self.learner = learner.eval()
        self.encoding = encoding
        self.example = example

    @property
    def signature(self) -> Signature:
        return self.learner.task.filling_signature

    def predict(self, inputs: Inputs) -> Answers:
        self.learner.eval()
        with torch.inference_mode():
            return in_batches(inputs, self._answers)

    def export(self, path: Path) -> None:
        export_network(self.learner, as_tensors(self.encoding.apply(self.example)), path)
        self.encoding.prepend(path)

    def _answers(self, batch: Inputs) -> Answers:
        return [answer.numpy() for answer in self.learner.answers(*as_tensors(self.encoding.apply(batch)))]


def in_batches(inputs: Inputs, answer: Callable[[Inputs], Answers]) -> Answers:
    """Answer all rows, some at a time; memory does not grow with their number, save for the answers."""
    rows = len(next(iter(inputs.values())))
    batches = [
        answer({name: values[start : start + _BATCH] for name, values in inputs.items()})
        for start in range(0, rows, _BATCH)
    ]
    return [np.concatenate(parts) for parts in zip(*batches, strict=True)]
