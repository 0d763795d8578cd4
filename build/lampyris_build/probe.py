"""A few test inputs with the answers of the shipped model: `publish` asks again, and compares."""

from math import prod
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from onnxruntime import GraphOptimizationLevel

from lampyris.domain.bundle import Probe
from lampyris.domain.signature import Signature
from lampyris.domain.tensors import tensor_of
from lampyris_build.evaluation import open_session, probabilities
from lampyris_build.recipe import Precision

_SAMPLES: Final = 16
_MAX_VALUES: Final = 300_000  # one picture of 224 x 224 x 3 fits, and the file stays below about 1 MB
# By how much processors may differ at least. In fp32 they sum in another order. In int8 they may round an
# activation to the step beside it, as another grey level of one pixel would: on the digits that moves a
# probability by up to 0.007.
_TOLERANCE: Final[dict[Precision, float]] = {"fp32": 1e-4, "int8": 0.02}
_MARGIN: Final = 2


def make_probe(model: Path, precision: Precision, signature: Signature, inputs: NDArray[Any]) -> Probe:
    """Take inputs from all over the test set, and keep what the model answers.

    A network may be more sensitive than the smallest tolerance supposes. So it is run twice: as it is served,
    in fused kernels, and as it is written, operator by operator. Twice the largest difference is allowed.
    """
    count = max(1, min(_SAMPLES, len(inputs), _MAX_VALUES // prod(inputs.shape[1:])))
    asked = inputs[np.linspace(0, len(inputs) - 1, count).astype(np.int64)]
    fused = open_session(model)
    literal = open_session(model, level=GraphOptimizationLevel.ORT_DISABLE_ALL)
    difference = np.abs(probabilities(fused, asked) - probabilities(literal, asked)).max()
    return Probe(
        inputs=(tensor_of(signature.inputs[0], asked),),
        outputs=(tensor_of(signature.outputs[0], probabilities(fused, asked)),),
        rtol=0.0,
        atol=max(_TOLERANCE[precision], _MARGIN * float(difference)),
    )
