"""How far two versions' answers to the same request are apart."""

import sys
from collections.abc import Mapping

import msgspec
import numpy as np

from lampyris.domain.signature import Signature
from lampyris.domain.tensors import Array

# What the order of additions may change: of the element itself, and of the output's largest, as the sums
# behind a small element may be large.
_RTOL, _RTOL_OF_LARGEST = 1e-4, 1e-5


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """`agrees` allows for rounding alone; `biggest` is between numbers in one place, None without any."""

    agrees: bool
    biggest: float | None


def difference(answers: Mapping[str, Array], others: Mapping[str, Array]) -> Difference:
    """Hold outputs against those of the same names; one that is missing or of another shape disagrees."""
    pairs = [(values, others.get(name)) for name, values in answers.items()]
    with np.errstate(over="ignore"):  # the largest numbers are too far apart for a number
        distances = [_distance(values, other) for values, other in pairs if other is not None]
        return Difference(
            agrees=all(other is not None and _agree(values, other) for values, other in pairs),
            biggest=max((distance for distance in distances if distance is not None), default=None),
        )


def same_class(
    signature: Signature, answers: Mapping[str, Array], other: Signature, others: Mapping[str, Array]
) -> bool | None:
    """Tell whether two classifiers name the same most probable class for every row, whatever its place.

    None if one of them is no classifier, or its probabilities are not there.
    """
    classes, others_classes = _classes(signature, answers), _classes(other, others)
    return None if classes is None or others_classes is None else classes == others_classes


def _classes(signature: Signature, outputs: Mapping[str, Array]) -> list[str] | None:
    if not signature.labels or signature.outputs[0].name not in outputs:
        return None
    probabilities_NC = outputs[signature.outputs[0].name].reshape(-1, len(signature.labels))
    return [signature.labels[place] for place in probabilities_NC.argmax(axis=1).tolist()]


def _distance(values: Array, other: Array) -> float | None:
    if values.shape != other.shape or values.dtype.kind == "O" or other.dtype.kind == "O":
        return None
    numbers, others = values.astype(np.float64), other.astype(np.float64)
    both = np.isfinite(numbers) & np.isfinite(others)
    if not both.any():
        return None
    return min(float(np.abs(numbers[both] - others[both]).max()), sys.float_info.max)


def _agree(values: Array, other: Array) -> bool:
    if values.dtype != other.dtype or values.shape != other.shape:
        return False
    if values.dtype.kind != "f":
        return np.array_equal(values, other)
    finite = np.abs(values[np.isfinite(values)].astype(np.float64))
    atol = _RTOL_OF_LARGEST * float(finite.max(initial=0))
    return np.allclose(other, values, rtol=_RTOL, atol=atol, equal_nan=True)
