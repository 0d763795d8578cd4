from typing import Any

import numpy as np
import pytest

from lampyris_build.data.dataset import Feature, Samples, Source
from lampyris_build.data.joining import Part, joined
from lampyris_build.errors import DatasetBroken, InvalidRecipe


def source(
    name: str,
    targets: list[Any] | None,
    *,
    test: list[Any] | None = None,
    classes: tuple[str, ...] | None = None,
    width: int = 1,
) -> Source:
    return Source(
        name=name,
        features=(Feature(name="features", kind="vector", shape=(width,)),),
        samples=samples(targets, width),
        test=None if test is None else samples(test, width),
        classes=classes,
        notes=(f"of {name}",),
    )


def samples(targets: list[Any] | None, width: int = 1) -> Samples:
    count = 2 if targets is None else len(targets)
    return Samples(
        inputs={"features": np.arange(count * width, dtype=np.float32).reshape(count, width)},
        targets=None
        if targets is None
        else np.array(targets, object if isinstance(targets[0], str) else int),
    )


def targets(one: Samples | None) -> list[Any]:
    assert one is not None
    assert one.targets is not None
    values: list[Any] = one.targets.tolist()
    return values


def test_one_source_stays_as_it_is() -> None:
    one = source("a", [0, 1], test=[1], classes=("x", "y"))

    same = joined([(one, "all")])

    assert same.digest == one.digest
    assert (same.name, same.features, same.classes, same.notes) == ("a", one.features, ("x", "y"), ("of a",))


def test_sources_are_put_one_after_the_other() -> None:
    both = joined([(source("a", [0, 1]), "all"), (source("b", [2]), "all")])

    assert targets(both.samples) == [0, 1, 2]
    np.testing.assert_array_equal(both.samples.inputs["features"], [[0], [1], [0]])
    assert both.test is None
    assert both.name == "a + b"
    assert both.notes == ("a: of a", "b: of b")


def test_part_says_what_is_learnt_and_what_measured() -> None:
    both = joined([(source("a", [0, 1], test=[2]), "train"), (source("b", [3], test=[4]), "test")])

    assert targets(both.samples) == [0, 1]
    assert targets(both.test) == [3, 4]


def test_test_sets_that_came_along_are_put_together() -> None:
    both = joined([(source("a", [0], test=[1]), "all"), (source("b", [2], test=[3]), "all")])

    assert targets(both.test) == [1, 3]


def test_classes_of_different_lists_meet_by_name() -> None:
    both = joined(
        [(source("a", [0, 1], classes=("cat", "dog")), "all"), (source("b", [0], classes=("dog",)), "all")]
    )

    assert both.classes is None
    assert targets(both.samples) == ["cat", "dog", "dog"]


def test_classes_of_one_list_stay_indices() -> None:
    one, other = source("a", [0], classes=("cat", "dog")), source("b", [1], classes=("cat", "dog"))

    both = joined([(one, "all"), (other, "all")])

    assert both.classes == ("cat", "dog")
    assert targets(both.samples) == [0, 1]


@pytest.mark.parametrize(
    ("other", "sentence"),
    [
        (
            source("b", [0], width=2),
            r"'features', vector of shape \(1,\); this one holds vector of shape \(2,\)",
        ),
        (source("b", ["x"]), "some datasets have words as targets, some numbers"),
        (source("b", None), "only 1 of 2 datasets have targets"),
    ],
    ids=["shape", "words", "no-targets"],
)
def test_sources_that_hold_different_things_are_told(other: Source, sentence: str) -> None:
    with pytest.raises(DatasetBroken, match=sentence):
        joined([(source("a", [0]), "all"), (other, "all")])


@pytest.mark.parametrize(
    ("part", "sentence"),
    [("test", "one must be learnt from"), ("train", 'add one with part = "test"')],
)
def test_part_that_leaves_nothing_is_told(part: Part, sentence: str) -> None:
    with pytest.raises(InvalidRecipe, match=sentence):
        joined([(source("a", [0, 1]), part)])
