"""Hold one form of a model against another: does it answer alike, and how much faster?"""

from statistics import median
from time import perf_counter
from typing import TYPE_CHECKING

import numpy as np

from lampyris.domain.tensors import Array
from lampyris.publishing.probing import run

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

# Less may be chance: equal models should get equal artifacts.
WORTH_IT = 1.05
# What the order of additions may change: of the element itself, and of the output's largest, as the sums
# behind a small element may be large.
_RTOL, _RTOL_OF_LARGEST = 1e-4, 1e-5
# Turns that are timed: few for a slow model, more for a quick one, whose timings scatter.
_FEWEST, _MOST, _BUDGET_S = 5, 200, 1.0
# A trial has 70 s in all.
_SLOWEST_S = 2.0


def speedup(
    reference: "InferenceSession", candidate: "InferenceSession", inputs: dict[str, Array]
) -> float | None:
    """Return how many times as fast as `reference` the candidate answers.

    None if it answers otherwise, or if a comparison would take too long. The two take turns, so that both
    meet the same conditions; the answer is the median of their turns' ratios.
    Raises: UnsupportedModel if one cannot run, MemoryError.
    """
    expected = run(reference, inputs)
    answers = run(candidate, inputs)
    if _run_s(reference, inputs) > _SLOWEST_S or not all(
        _agree(answers[name], expected[name]) for name in expected
    ):
        return None
    ratios: list[float] = []
    until_s = perf_counter() + _BUDGET_S
    while len(ratios) < _FEWEST or (len(ratios) < _MOST and perf_counter() < until_s):
        ratios.append(_run_s(reference, inputs) / _run_s(candidate, inputs))
    return median(ratios)


def _agree(answer: Array, expected: Array) -> bool:
    if answer.dtype != expected.dtype or answer.shape != expected.shape:
        return False
    if expected.dtype.kind != "f":
        return np.array_equal(answer, expected)
    finite = np.abs(expected[np.isfinite(expected)])
    largest = float(finite.max(initial=0))
    return np.allclose(answer, expected, rtol=_RTOL, atol=_RTOL_OF_LARGEST * largest, equal_nan=True)


def _run_s(session: "InferenceSession", inputs: dict[str, Array]) -> float:
    started_s = perf_counter()
    run(session, inputs)
    return perf_counter() - started_s
