"""From torch to ONNX, and the proof that the model answers there as it did before."""

import logging
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import numpy as np
import onnx
import torch
from torch import nn

from lampyris.domain.signature import DYNAMIC, TensorSpec
from lampyris_build.errors import ParityFailed
from lampyris_build.learner import Learner
from lampyris_build.tasks.task import Answers

# The opset that torch's exporter writes natively; any other is converted from it.
OPSET: Final = 18


class _Answers(nn.Module):
    """A learner as it is served: called with encoded inputs it gives the answers."""

    def __init__(self, learner: Learner) -> None:
        super().__init__()
        self.learner = learner

    def forward(self, *inputs: torch.Tensor) -> tuple[torch.Tensor, ...]:
        return self.learner.answers(*inputs)


def export_network(learner: Learner, example: tuple[torch.Tensor, ...], path: Path) -> None:
    """Write what is served of a learner as ONNX: encoded inputs, any number of samples at once, to answers.

    `example` are the encoded inputs of two samples: one would be taken for a constant batch size.
    """
    task = learner.task
    batch = torch.export.Dim("batch")
    with _quiet_exporter():
        torch.onnx.export(
            _Answers(learner).eval(),
            example,
            path,
            external_data=False,
            dynamo=True,
            dynamic_shapes=(tuple({0: batch} | _dynamic(spec) for spec in task.inputs),),
            input_names=[spec.name for spec in task.inputs],
            output_names=[spec.name for spec in task.outputs],
            opset_version=OPSET,
            verbose=False,
        )
    model = onnx.load(path)
    _strip(model.graph)
    onnx.save(model, path)


def _dynamic(spec: TensorSpec) -> dict[int, torch.export.Dim]:
    """Name the axes after the first that may have any size."""
    return {
        axis: torch.export.Dim(f"{spec.name}_{axis}")
        for axis, size in enumerate(spec.shape)
        if axis > 0 and size == DYNAMIC
    }


def check_parity(
    expected: Answers, answers: Answers, outputs: Sequence[TensorSpec], tolerance: float
) -> float:
    """Return the largest difference of any value between a model's own framework and onnxruntime.

    Raises: ParityFailed if it exceeds `tolerance`.
    """
    worst = 0.0
    for spec, before, after in zip(outputs, expected, answers, strict=True):
        difference = float(np.abs(before.astype(np.float64) - after).max())
        # Written so that NaN fails too.
        if not difference <= tolerance:
            raise ParityFailed(output=spec.name, difference=difference, tolerance=tolerance)
        worst = max(worst, difference)
    return worst


def _strip(graph: onnx.GraphProto) -> None:
    """Drop what the exporter notes about the source code: callers have no use for it, and it names paths."""
    for part in (*graph.node, *graph.input, *graph.output, *graph.value_info, *graph.initializer):
        part.ClearField("metadata_props")
        part.ClearField("doc_string")
    graph.ClearField("metadata_props")


@contextmanager
def _quiet_exporter() -> Iterator[None]:
    # It warns that torchvision's operators are unknown: none are used here.
    registration = logging.getLogger("torch.onnx._internal.exporter._registration")
    level = registration.level
    registration.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            # torch copies its own tree specifications in a way that torch deprecates.
            warnings.filterwarnings("ignore", message=".*LeafSpec", category=FutureWarning)
            # It warns that inputs share a dynamic axis: they are rows of one batch.
            warnings.filterwarnings("ignore", message=".*The axis name", category=UserWarning)
            yield
    finally:
        registration.setLevel(level)
