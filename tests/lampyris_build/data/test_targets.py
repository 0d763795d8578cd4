from typing import Any

import numpy as np
import pytest

from lampyris_build.data.dataset import Feature, Samples, Source
from lampyris_build.data.targets import with_targets
from lampyris_build.errors import DatasetBroken
from lampyris_build.recipe.recipe import TaskName


def source(targets: Any, test: Any = None, classes: tuple[str, ...] | None = None) -> Source:
    return Source(
        name="some",
        features=(Feature(name="features", kind="vector", shape=(1,)),),
        samples=samples(targets),
        test=None if test is None else samples(test),
        classes=classes,
    )


def samples(targets: Any) -> Samples:
    array = np.asarray(targets, object if isinstance(targets[0], str) else None)
    return Samples(inputs={"features": np.zeros((len(array), 1), np.float32)}, targets=array)


@pytest.mark.parametrize(
    ("targets", "classes", "index"),
    [
        (["dog", "cat", "dog"], ("cat", "dog"), [1, 0, 1]),
        ([10, 2, 10], ("2", "10"), [1, 0, 1]),
        ([3.0, 1.0, 3.0], ("1", "3"), [1, 0, 1]),
        ([True, False, True], ("False", "True"), [1, 0, 1]),
        (["10", "9", "10"], ("10", "9"), [0, 1, 0]),
    ],
    ids=["words", "integers", "whole-floats", "booleans", "numbers-as-words"],
)
def test_classes_are_called_as_their_targets_in_order(
    targets: list[Any], classes: tuple[str, ...], index: list[int]
) -> None:
    learnt = with_targets(source(targets), "classification")

    assert learnt.classes == classes
    assert learnt.samples.targets is not None
    assert learnt.samples.targets.dtype == np.int64
    np.testing.assert_array_equal(learnt.samples.targets, index)


def test_classes_of_training_and_test_set_are_one_list() -> None:
    learnt = with_targets(source(["a", "c", "b"], test=["c"]), "classification")

    assert learnt.test is not None
    np.testing.assert_array_equal(learnt.test.targets, [2])


def test_names_that_came_along_are_kept() -> None:
    learnt = with_targets(source([0, 1, 1], classes=("no", "yes")), "classification")

    assert learnt.classes == ("no", "yes")


def test_regression_learns_finite_float32() -> None:
    learnt = with_targets(source([1, 2, 4], test=[3]), "regression")

    assert learnt.samples.targets is not None
    assert learnt.samples.targets.dtype == np.float32
    assert learnt.test is not None
    np.testing.assert_array_equal(learnt.test.targets, np.array([3], np.float32))
    assert learnt.classes is None


def test_generation_learns_from_the_inputs_alone() -> None:
    learnt = with_targets(source([0, 1], classes=("no", "yes")), "generation")

    assert learnt.samples.targets is None
    assert learnt.classes is None


@pytest.mark.parametrize(
    ("targets", "classes", "unusual", "note"),
    [
        ([0, 1, 1], None, [0, 1, 1], "Class '1', 2 of 3"),
        (["bad", "good", "good"], None, [1, 0, 0], "Class 'bad', 1 of 3"),
        ([0, 1, 1], ("ill", "well"), [1, 0, 0], "Class 'ill', 1 of 3"),
        ([5, 7, 7], None, [1, 0, 0], "Class '5', 1 of 3"),
    ],
    ids=["one-is-unusual", "rarer-word", "rarer-class", "rarer-number"],
)
def test_unusual_is_one_or_the_rarer_class(
    targets: list[Any], classes: tuple[str, ...] | None, unusual: list[int], note: str
) -> None:
    learnt = with_targets(source(targets, classes=classes), "anomaly")

    np.testing.assert_array_equal(learnt.samples.targets, unusual)
    assert note in learnt.notes[0]


@pytest.mark.parametrize("targets", [[0, 1, 2], [1.5, 2.5, 3.5], [4, 4, 4]])
def test_targets_that_do_not_tell_usual_from_unusual_are_left_out(targets: list[Any]) -> None:
    learnt = with_targets(source(targets), "anomaly")

    assert learnt.samples.targets is None


@pytest.mark.parametrize(
    ("task", "given", "sentence"),
    [
        ("classification", source(["a", "a"]), "single class, 'a'"),
        ("classification", source([0, 0, 2], classes=("x", "y", "z")), "class 'y' has no sample"),
        ("classification", source(["a", "b"], test=["c"]), "class 'c' has no sample to learn from"),
        ("classification", source([0, 12], classes=("x", "y")), "go from 0 to 12; with 2 classes .* 0 to 1"),
        ("classification", source([-1, 1], classes=("x", "y")), "go from -1 to 1"),
        ("classification", source([0, 1], test=[2], classes=("x", "y")), "labels of the test set go"),
        ("classification", source([0.5, 1.5, 2.0]), r'such as 0\.5, 1\.5, .* task = "regression"'),
        ("classification", source(np.arange(2000)), '2,000 different numbers.*task = "regression"'),
        ("classification", source([[1, 2], [3, 4]]), "one class each"),
        ("regression", source(["a", "b"]), "words, such as 'a', 'b'.* task = \"classification\""),
        ("regression", source([0, 1], classes=("x", "y")), "its targets are classes, such as 'x'"),
        ("regression", source([1.0, np.nan]), "1 targets of the training set are NaN"),
        ("regression", source([1.0, 2.0], test=[1e39]), "1 targets of the test set are NaN, infinite"),
        ("regression", source([5.0, 5.0]), "all its targets are 5"),
        ("anomaly", source(["a", "b"]), "neither is the unusual one"),
        ("language", source([0, 1]), 'dataset.source = "text"'),
    ],
)
def test_targets_that_a_task_cannot_learn_are_told(task: TaskName, given: Source, sentence: str) -> None:
    with pytest.raises(DatasetBroken, match=sentence):
        with_targets(given, task)


@pytest.mark.parametrize("task", ["classification", "regression"])
def test_source_without_targets_is_told(task: TaskName) -> None:
    given = Source(
        name="some",
        features=(Feature(name="features", kind="vector", shape=(1,)),),
        samples=Samples(inputs={"features": np.zeros((3, 1), np.float32)}, targets=None),
    )

    with pytest.raises(DatasetBroken, match=r"nothing to predict.*dataset\.target"):
        with_targets(given, task)
