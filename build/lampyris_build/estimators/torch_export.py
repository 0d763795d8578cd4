"""From any module of torch to ONNX, as `lampyris_build.export` does it for what is served of a learner."""

from collections.abc import Sequence
from pathlib import Path

import onnx
import torch
from torch import nn

from lampyris_build.export import OPSET, _quiet_exporter, _strip


def export_module(
    module: nn.Module, example: tuple[torch.Tensor, ...], inputs: Sequence[str], output: str, path: Path
) -> None:
    """Write a module with one output as ONNX, for any number of samples at once.

    `example` are the inputs of two samples: one would be taken for a constant batch size.
    """
    batch = torch.export.Dim("batch")
    with _quiet_exporter():
        torch.onnx.export(
            module.eval(),
            example,
            path,
            external_data=False,
            dynamo=True,
            dynamic_shapes=(tuple({0: batch} for _ in example),),
            input_names=list(inputs),
            output_names=[output],
            opset_version=OPSET,
            verbose=False,
        )
    model = onnx.load(path)
    _strip(model.graph)
    onnx.save(model, path)
