"""A few test inputs with the answers of the shipped model: `publish` asks again, and compares."""

from math import prod
from pathlib import Path
from typing import Final

import numpy as np
from onnxruntime import GraphOptimizationLevel

from lampyris.domain.bundle import Probe
from lampyris.domain.signature import Signature
from lampyris.domain.tensors import tensor_of
from lampyris_build.data.dataset import Inputs
from lampyris_build.evaluation.session import open_session, run

_SAMPLES: Final = 16
_MAX_VALUES: Final = 300_000  # one picture of 224 x 224 x 3 fits, and the file stays below about 1 MB
# By how much processors may differ at least, for each unit of the largest answer. In fp32 they sum in
# another order. Where activations are rounded they may take the step beside, as another grey level of one
# pixel would: on the digits that moves a probability by up to 0.007.
_EXACT: Final = 1e-4
_ROUNDED: Final = 0.02
_MARGIN: Final = 2


def make_probe(model: Path, signature: Signature, inputs: Inputs, *, rounded: bool) -> Probe:
    """Take inputs from all over the test set, and keep what the model answers.

    `rounded` says that the model computes in less than 32 bits. It may be more sensitive than the smallest
    tolerance supposes. So it is run twice: as it is served, in fused kernels, and as it is written, operator
    by operator. Twice the largest difference is allowed.
    """
    # What a model answers may be much more than what it is asked: that counts, too.
    session = open_session(model)
    first = {name: values[:1] for name, values in inputs.items()}
    asked = _drawn(inputs, more=sum(answer[:1].size for answer in run(session, first)))
    fused = run(session, asked)
    literal = run(open_session(model, level=GraphOptimizationLevel.ORT_DISABLE_ALL), asked)
    differences = [
        float(np.abs(one.astype(np.float64) - other).max()) for one, other in zip(fused, literal, strict=True)
    ]
    # Probabilities are below 1; what has a unit may be as large as it likes.
    unit = max(1.0, *(float(np.abs(answer).max()) for answer in fused))
    return Probe(
        inputs=tuple(tensor_of(spec, asked[spec.name]) for spec in signature.inputs),
        outputs=tuple(tensor_of(spec, answer) for spec, answer in zip(signature.outputs, fused, strict=True)),
        rtol=0.0,
        atol=max((_ROUNDED if rounded else _EXACT) * unit, _MARGIN * max(differences)),
    )


def _drawn(inputs: Inputs, *, more: int) -> Inputs:
    """Take rows at equal distances, of those without a missing number: JSON has no word for one.

    Each comes with so many values `more`.
    """
    rows = len(next(iter(inputs.values())))
    whole = np.ones(rows, np.bool_)
    for values in inputs.values():
        if values.dtype.kind == "f":
            whole &= np.isfinite(values.reshape(rows, -1)).all(axis=1)
    places = np.flatnonzero(whole)
    if not len(places):
        return {
            name: np.nan_to_num(values[:1]) if values.dtype.kind == "f" else values[:1]
            for name, values in inputs.items()
        }
    values_a_row = more + sum(prod(values.shape[1:]) for values in inputs.values())
    count = max(1, min(_SAMPLES, len(places), _MAX_VALUES // values_a_row))
    chosen = places[np.linspace(0, len(places) - 1, count).astype(np.int64)]
    return {name: np.asarray(values[chosen]) for name, values in inputs.items()}
