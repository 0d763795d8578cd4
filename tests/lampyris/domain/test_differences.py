import sys
from typing import Any

import numpy as np
import pytest

from lampyris.domain.differences import difference, same_class
from lampyris.domain.signature import Signature, TensorSpec


def fp32(*values: float) -> Any:
    return np.array([values], np.float32)


def classifier(*labels: str) -> Signature:
    return Signature(
        inputs=(), outputs=(TensorSpec(name="p", datatype="FP32", shape=(-1, len(labels))),), labels=labels
    )


def test_the_same_answer_agrees_and_has_no_distance() -> None:
    found = difference({"p": fp32(0.25, 0.75)}, {"p": fp32(0.25, 0.75)})

    assert (found.agrees, found.biggest) == (True, 0.0)


def test_rounding_agrees_and_its_distance_is_told() -> None:
    found = difference({"p": fp32(1.0, 2.0)}, {"p": fp32(1.0, 2.00001)})

    assert found.agrees
    assert found.biggest == pytest.approx(1e-5, rel=0.1)


def test_more_than_rounding_differs() -> None:
    found = difference({"p": fp32(1.0, 2.0), "q": fp32(1)}, {"p": fp32(1.0, 2.5), "q": fp32(1)})

    assert (found.agrees, found.biggest) == (False, 0.5)


@pytest.mark.parametrize(
    "other",
    [
        {},
        {"q": fp32(1.0, 2.0)},
        {"p": fp32(1.0)},
        {"p": np.array([["a", "b"]], object)},
        {"p": fp32(np.nan, np.inf)},
    ],
)
def test_what_cannot_be_compared_differs_by_no_number(other: Any) -> None:
    found = difference({"p": fp32(1.0, 2.0)}, other)

    assert (found.agrees, found.biggest) == (False, None)


def test_nan_and_infinity_agree_with_themselves() -> None:
    found = difference({"p": fp32(np.nan, np.inf, 1)}, {"p": fp32(np.nan, np.inf, 1)})

    assert (found.agrees, found.biggest) == (True, 0.0)


def test_strings_and_integers_agree_or_not() -> None:
    words, numbers = np.array(["a"], object), np.array([1, 2**60], np.int64)

    assert difference({"w": words, "n": numbers}, {"w": words, "n": numbers}).agrees
    assert not difference({"w": words}, {"w": np.array(["b"], object)}).agrees
    assert not difference({"n": numbers}, {"n": numbers + 1}).agrees


def test_a_distance_beyond_all_numbers_is_the_largest_that_there_is() -> None:
    far = np.array([sys.float_info.max])

    assert difference({"p": far}, {"p": -far}).biggest == sys.float_info.max


def test_classes_are_compared_by_name_and_not_by_place() -> None:
    here, there = classifier("cat", "dog"), classifier("dog", "cat")

    assert same_class(here, {"p": fp32(0.9, 0.1)}, there, {"p": fp32(0.2, 0.8)}) is True
    assert same_class(here, {"p": fp32(0.9, 0.1)}, there, {"p": fp32(0.8, 0.2)}) is False


def test_every_row_must_have_the_same_class() -> None:
    signature = classifier("cat", "dog")
    both, one = np.array([[0.9, 0.1], [0.1, 0.9]]), np.array([[0.9, 0.1], [0.9, 0.1]])

    assert same_class(signature, {"p": both}, signature, {"p": both}) is True
    assert same_class(signature, {"p": both}, signature, {"p": one}) is False


def test_what_is_no_classifier_has_no_class() -> None:
    regressor = Signature(inputs=(), outputs=(TensorSpec(name="p", datatype="FP32", shape=(-1, 2)),))
    signature = classifier("cat", "dog")

    assert same_class(signature, {"p": fp32(1, 0)}, regressor, {"p": fp32(1, 0)}) is None
    assert same_class(signature, {"q": fp32(1, 0)}, signature, {"p": fp32(1, 0)}) is None
