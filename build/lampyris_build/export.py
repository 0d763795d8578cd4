"""From torch to ONNX, and the proof that both compute the same."""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import numpy as np
import onnx
import torch

from lampyris.domain.signature import DYNAMIC, Signature, TensorSpec
from lampyris_build.data.dataset import Dataset
from lampyris_build.errors import ParityFailed
from lampyris_build.evaluation import open_session, probabilities
from lampyris_build.preprocessing import Classifier, Served

# The opset that torch's exporter writes natively; any other is converted from it.
OPSET: Final = 18
_BATCH: Final = 256


def signature_of(dataset: Dataset) -> Signature:
    """Say what the exported model takes and gives: pictures are `image`, vectors are `features`."""
    shape = (DYNAMIC, *dataset.sample_shape)
    if dataset.holds_images:
        taken = TensorSpec(name="image", datatype="UINT8", shape=shape)
    else:
        taken = TensorSpec(name="features", datatype="FP32", shape=shape)
    return Signature(
        inputs=(taken,),
        outputs=(TensorSpec(name="probabilities", datatype="FP32", shape=(DYNAMIC, len(dataset.classes))),),
        labels=dataset.classes,
    )


def export_onnx(classifier: Classifier, dataset: Dataset, path: Path) -> None:
    """Write the classifier as ONNX: raw inputs of any batch size to probabilities."""
    signature = signature_of(dataset)
    # Two samples: an example of one would be taken for a constant batch size.
    example = torch.from_numpy(dataset.train.inputs[:2])
    with _quiet_exporter():
        torch.onnx.export(
            Served(classifier).eval(),
            (example,),
            path,
            external_data=False,
            dynamo=True,
            dynamic_shapes=({0: torch.export.Dim("batch")},),
            input_names=[spec.name for spec in signature.inputs],
            output_names=[spec.name for spec in signature.outputs],
            opset_version=OPSET,
            verbose=False,
        )
    model = onnx.load(path)
    _strip(model.graph)
    onnx.save(model, path)


def check_parity(classifier: Classifier, dataset: Dataset, path: Path, tolerance: float) -> float:
    """Return the largest difference of any probability between torch and onnxruntime on the test set.

    Raises: ParityFailed if it exceeds `tolerance`.
    """
    served = Served(classifier).eval()
    with torch.inference_mode():
        batches = torch.split(torch.from_numpy(dataset.test.inputs), _BATCH)
        expected = np.concatenate([served(batch).numpy() for batch in batches])
    answers = probabilities(open_session(path), dataset.test.inputs)
    difference = float(np.abs(expected - answers).max())
    # Written so that NaN fails too.
    if not difference <= tolerance:
        raise ParityFailed(difference=difference, tolerance=tolerance)
    return difference


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
            yield
    finally:
        registration.setLevel(level)
