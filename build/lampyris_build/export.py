"""From torch to ONNX, and the proof that the model answers there as it did before."""

import logging
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import numpy as np
import torch
from torch import nn

from lampyris.domain.signature import DYNAMIC, TensorSpec
from lampyris_build.compression.tidying import tidy
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
    export_module(
        _Answers(learner),
        example,
        inputs=[spec.name for spec in task.inputs],
        outputs=[spec.name for spec in task.outputs],
        path=path,
        dynamic=[_dynamic(spec) for spec in task.inputs],
    )


def export_module(
    module: nn.Module,
    example: tuple[torch.Tensor, ...],
    *,
    inputs: Sequence[str],
    outputs: Sequence[str],
    path: Path,
    dynamic: Sequence[dict[int, torch.export.Dim]] | None = None,
) -> None:
    """Write a module as ONNX, for any number of samples at once.

    `example` are the inputs of two samples; `dynamic` names the axes after the first that may have any size.
    """
    batch = torch.export.Dim("batch")
    axes = tuple({0: batch} | more for more in dynamic or [{}] * len(example))
    with _quiet_exporter():
        torch.onnx.export(
            module.eval(),
            example,
            path,
            external_data=False,
            dynamo=True,
            dynamic_shapes=(axes,),
            input_names=list(inputs),
            output_names=list(outputs),
            opset_version=OPSET,
            verbose=False,
        )
    tidy(path)  # the exporter notes where the source code stands, which callers have no use for


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
            # These are about how torch itself traces a recurrent network, and a cache.
            warnings.filterwarnings("ignore", message=".*_check_is_size", category=FutureWarning)
            warnings.filterwarnings("ignore", message=".*_flat_weights", category=UserWarning)
            warnings.filterwarnings("ignore", message="The .grad attribute of a Tensor", category=UserWarning)
            yield
    finally:
        registration.setLevel(level)
