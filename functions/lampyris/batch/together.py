"""Predictions that were asked one by one and are run together: few runs, and an answer for each."""

from collections.abc import Mapping, Sequence

import msgspec
import numpy as np

from lampyris.batch.batch_size import fixed_batch_size
from lampyris.domain.manifest import Manifest
from lampyris.domain.tensors import Array, check_inputs
from lampyris.errors import DeadlineExceeded, InferenceFailed, InvalidRequest, OutOfMemory
from lampyris.http.predictions.rows import read_json
from lampyris.serving.infer import Inference, Prediction

# As many rows make one run, unless one prediction alone has more.
_ROWS = 1024

Found = Prediction | Exception


class _Part(msgspec.Struct, frozen=True, kw_only=True):
    """The inputs of one prediction, its place among all, and how many rows it has; 0 if that is not clear."""

    place: int
    inputs: dict[str, Array]
    rows: int


def predict_together(
    inference: Inference, manifest: Manifest, bodies: Sequence[bytes], *, deadline_s: float
) -> list[Found]:
    """Run a version on JSON bodies, and return for each what came of it: a prediction, or an error.

    Raises: StoreUnavailable, ModelLoading, ArtifactDamaged and their like, which are no prediction's fault.
    """
    found: dict[int, Found] = {}
    groups: dict[object, list[_Part]] = {}
    is_fixed = fixed_batch_size(manifest.signature) is not None
    for place, body in enumerate(bodies):
        try:
            inputs = read_json(body, manifest.signature)
            check_inputs(manifest.signature, inputs)
        except InvalidRequest as error:
            found[place] = error
            continue
        rows = 0 if is_fixed else _rows(inputs)
        kind: object = tuple(sorted((name, values.shape[1:]) for name, values in inputs.items()))
        groups.setdefault(kind if rows else place, []).append(_Part(place=place, inputs=inputs, rows=rows))
    for group in groups.values():
        for parts in _by_rows(group):
            found |= _run(inference, manifest, parts, deadline_s)
    return [found[place] for place in range(len(bodies))]


def _rows(inputs: Mapping[str, Array]) -> int:
    """Return how many rows inputs have; 0 if they do not have the same number of them."""
    counts = {values.shape[0] if values.ndim else 0 for values in inputs.values()}
    return counts.pop() if len(counts) == 1 else 0


def _by_rows(parts: list[_Part]) -> list[list[_Part]]:
    runs: list[list[_Part]] = []
    rows = _ROWS
    for part in parts:
        if rows + part.rows > _ROWS:
            runs.append([])
            rows = 0
        runs[-1].append(part)
        rows += part.rows
    return runs


def _run(inference: Inference, manifest: Manifest, parts: list[_Part], deadline_s: float) -> dict[int, Found]:
    """Run parts together; where that fails, halve them until the one that is to blame is alone."""
    joined = (
        parts[0].inputs
        if len(parts) == 1
        else {name: np.concatenate([part.inputs[name] for part in parts]) for name in parts[0].inputs}
    )
    try:
        prediction = inference.run(manifest, joined, deadline_s=deadline_s)
    except (InferenceFailed, OutOfMemory, DeadlineExceeded, InvalidRequest) as error:
        if len(parts) == 1:
            return {parts[0].place: error}
        return _halves(inference, manifest, parts, deadline_s)
    if len(parts) == 1:
        return {parts[0].place: prediction}
    total = sum(part.rows for part in parts)
    if any(values.ndim == 0 or len(values) != total for values in prediction.outputs.values()):
        return {  # not row by row: what they say together is not what each would be told
            place: one
            for part in parts
            for place, one in _run(inference, manifest, [part], deadline_s).items()
        }
    found: dict[int, Found] = {}
    start = 0
    for part in parts:
        cut = {name: values[start : start + part.rows] for name, values in prediction.outputs.items()}
        found[part.place] = msgspec.structs.replace(prediction, outputs=cut)
        start += part.rows
    return found


def _halves(
    inference: Inference, manifest: Manifest, parts: list[_Part], deadline_s: float
) -> dict[int, Found]:
    middle = len(parts) // 2
    return _run(inference, manifest, parts[:middle], deadline_s) | _run(
        inference, manifest, parts[middle:], deadline_s
    )
