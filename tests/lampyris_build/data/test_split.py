from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from lampyris_build.data.dataset import Dataset, Feature, Kind, Samples, Source
from lampyris_build.data.split import split
from lampyris_build.errors import DatasetBroken
from lampyris_build.recipe.sources import Split

CLASSES = ("a", "b", "c")


def source(
    targets: NDArray[Any] | None,
    *,
    keys: NDArray[Any] | None = None,
    classes: tuple[str, ...] | None = None,
    test: Samples | None = None,
    kind: Kind = "vector",
) -> Source:
    count = len(targets) if targets is not None else 0 if keys is None else len(keys)
    inputs = {"features": np.arange(count, dtype=np.float32)[:, np.newaxis]}
    return Source(
        name="some",
        features=(Feature(name="features", kind=kind, shape=(1,)),),
        samples=Samples(inputs=inputs, targets=targets, keys=keys),
        test=test,
        classes=classes,
    )


def classified(*counts: int, **others: Any) -> Source:
    labels = np.repeat(np.arange(len(counts)), counts)
    return source(labels, classes=CLASSES[: len(counts)], **others)


def numbers(count: int, **others: Any) -> Source:
    return source(np.linspace(0, 1, count, dtype=np.float32), **others)


def sets(dataset: Dataset) -> tuple[Samples, Samples, Samples]:
    return dataset.train, dataset.validation, dataset.test


def targets_of(samples: Samples) -> NDArray[Any]:
    assert samples.targets is not None
    return samples.targets


def keys_of(samples: Samples) -> NDArray[Any]:
    assert samples.keys is not None
    return samples.keys


def rows(dataset: Dataset) -> list[list[float]]:
    """Return which rows of the source are in each set."""
    return [one.inputs["features"].ravel().tolist() for one in sets(dataset)]


@pytest.mark.parametrize("by", ["stratified", "random", "time", "group"])
@settings(deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1), counts=st.tuples(*[st.integers(4, 40)] * 3), groups=st.integers(6, 200)
)
def test_every_sample_is_in_exactly_one_set(
    by: Any, seed: int, counts: tuple[int, int, int], groups: int
) -> None:
    keys = np.random.default_rng(seed).permutation(np.arange(sum(counts)) % groups)
    some = classified(*counts, keys=keys)

    dataset = split(some, Split(by=by), seed, "regression")

    assert sorted(chain.from_iterable(rows(dataset))) == list(range(sum(counts)))
    for one in sets(dataset):
        place = one.inputs["features"].ravel().astype(np.int64)
        np.testing.assert_array_equal(one.targets, targets_of(some.samples)[place])
        np.testing.assert_array_equal(one.keys, keys[place])


def test_every_set_has_its_share_of_every_class() -> None:
    dataset = split(classified(50, 30, 20), Split(), 0, "classification")

    np.testing.assert_array_equal(np.bincount(targets_of(dataset.test)), [10, 6, 4])
    np.testing.assert_array_equal(np.bincount(targets_of(dataset.validation)), [4, 2, 2])


def test_unusual_samples_are_in_every_set() -> None:
    dataset = split(source(np.repeat([0, 1], (100, 5))), Split(), 0, "anomaly")

    assert [int(targets_of(one).sum()) for one in sets(dataset)] == [3, 1, 1]


@pytest.mark.parametrize(("test", "validation", "sizes"), [(0.2, 0.1, (72, 8, 20)), (0.5, 0.5, (25, 25, 50))])
def test_sets_are_as_large_as_the_recipe_says(
    test: float, validation: float, sizes: tuple[int, int, int]
) -> None:
    dataset = split(numbers(100), Split(test=test, validation=validation), 0, "regression")

    assert tuple(map(len, sets(dataset))) == sizes


@pytest.mark.parametrize("by", ["stratified", "random", "group"])
def test_same_seed_splits_alike_and_another_otherwise(by: Any) -> None:
    some = classified(50, 30, keys=np.arange(80) // 2)

    first, again, other = (split(some, Split(by=by), seed, "classification") for seed in (1, 1, 2))

    assert rows(first) == rows(again)
    assert rows(first) != rows(other)


def test_training_set_is_in_no_order_that_the_source_had() -> None:
    dataset = split(classified(50, 50), Split(), 0, "classification")

    assert len(np.unique(targets_of(dataset.train)[:20])) == 2


def test_given_test_set_stays_as_it_is() -> None:
    given_test = classified(3, 3).samples

    dataset = split(classified(5, 5, test=given_test), Split(test=0.5, validation=0.2), 0, "classification")

    assert dataset.test is given_test
    assert len(dataset.train) == 8


@pytest.mark.parametrize(("kind", "task"), [("series", "regression"), ("tokens", "language")])
def test_series_and_text_are_divided_in_their_order(kind: Any, task: Any) -> None:
    train, validation, test = rows(split(numbers(100, kind=kind), Split(), 0, task))

    assert train == list(range(72))
    assert validation == list(range(72, 80))
    assert test == list(range(80, 100))


@pytest.mark.parametrize(
    "moments",
    [
        np.arange(100) % 37,
        (np.arange(100) % 37).astype(np.float32),
        np.array([f"2026-03-{1 + day % 30:02}T08:00" for day in range(100)], object),
        np.array([f"2026-03-{1 + day % 30:02}T08:00:00.5Z" for day in range(100)], object),
    ],
)
def test_all_of_a_later_set_is_later_in_time(moments: NDArray[Any]) -> None:
    dataset = split(numbers(100, keys=moments), Split(by="time", column="when"), 0, "regression")

    train, validation, test = (keys_of(one) for one in sets(dataset))
    assert max(train) < min(validation)
    assert max(validation) < min(test)
    assert 15 <= len(dataset.test) <= 25


def test_time_zones_are_heeded() -> None:
    moments = np.array(["2026-03-01T12:00+02:00", "2026-03-01T11:00Z", "2026-03-01T13:30+03:00"], object)

    dataset = split(numbers(3, keys=moments), Split(by="time"), 0, "regression")

    assert rows(dataset) == [[0], [2], [1]]


def test_dates_that_do_not_sort_are_refused() -> None:
    dates = np.array(["31.03.2026", "01.04.2026"] * 10, object)

    with pytest.raises(DatasetBroken, match=r"neither numbers nor dates in ISO 8601.*it holds '31.03.2026'"):
        split(numbers(20, keys=dates), Split(by="time"), 0, "regression")


def test_rows_of_one_moment_cannot_be_divided_in_time() -> None:
    with pytest.raises(DatasetBroken, match="too few different moments"):
        split(numbers(20, keys=np.zeros(20)), Split(by="time"), 0, "regression")


@pytest.mark.parametrize("seed", range(5))
def test_no_group_is_in_two_sets(seed: int) -> None:
    patients = np.array([f"patient {(number * 7) % 40}" for number in range(400)], object)

    dataset = split(
        classified(200, 200, keys=patients), Split(by="group", column="patient"), seed, "classification"
    )

    train, validation, test = (set(keys_of(one).tolist()) for one in sets(dataset))
    assert not train & validation
    assert not train & test
    assert not validation & test
    assert 60 <= len(dataset.test) <= 100


def test_rows_of_a_group_stay_in_their_order() -> None:
    dataset = split(numbers(400, keys=np.arange(400) % 20), Split(by="group"), 0, "regression")

    for places in rows(dataset):
        assert places == sorted(places)


@pytest.mark.parametrize("seed", range(10))
def test_three_groups_are_enough_however_small(seed: int) -> None:
    keys = np.repeat([0, 1, 2], (1, 1, 10))

    dataset = split(numbers(12, keys=keys), Split(by="group"), seed, "regression")

    assert all(len(one) for one in sets(dataset))


def test_large_group_is_never_all_there_is_to_train_on() -> None:
    keys = np.repeat([0, 1, 2], (90, 5, 5))

    dataset = split(numbers(100, keys=keys), Split(by="group"), 0, "regression")

    assert [len(np.unique(keys_of(one))) for one in sets(dataset)] == [1, 1, 1]


@pytest.mark.parametrize("groups", [1, 2])
def test_too_few_groups_are_refused(groups: int) -> None:
    with pytest.raises(DatasetBroken, match="too few groups"):
        split(numbers(20, keys=np.arange(20) % groups), Split(by="group"), 0, "regression")


def test_groups_without_a_column_are_refused() -> None:
    with pytest.raises(DatasetBroken, match=r"needs split\.column"):
        split(numbers(20), Split(by="group"), 0, "regression")


@pytest.mark.parametrize("by", ["time", "group"])
@pytest.mark.parametrize(
    "keys", [np.array(["2026-01-01", "", "2026-01-02"] * 5, object), np.array([1, np.nan, 2] * 5)]
)
def test_rows_without_a_key_are_counted_and_refused(by: Any, keys: NDArray[Any]) -> None:
    with pytest.raises(DatasetBroken, match=r"5 rows hold nothing in split\.column"):
        split(numbers(15, keys=keys), Split(by=by), 0, "regression")


@pytest.mark.parametrize("small", [1, 2])
def test_class_too_small_for_all_sets_is_named(small: int) -> None:
    with pytest.raises(DatasetBroken, match="class 'b' has too few samples"):
        split(classified(50, small), Split(), 0, "classification")


@pytest.mark.parametrize("by", ["random", "time", "stratified"])
@pytest.mark.parametrize("count", [1, 2])
def test_too_few_samples_for_three_sets_are_refused(by: Any, count: int) -> None:
    with pytest.raises(DatasetBroken, match="too few"):
        split(classified(count), Split(by=by), 0, "regression")


def test_class_that_only_the_test_set_holds_is_named() -> None:
    with pytest.raises(DatasetBroken, match="class 'b' has no sample in the training set"):
        split(classified(80, 20), Split(by="time"), 0, "classification")


def test_numbers_cannot_be_divided_class_by_class() -> None:
    with pytest.raises(DatasetBroken, match="the targets are no classes"):
        split(numbers(50), Split(by="stratified"), 0, "regression")


def test_samples_in_both_sets_are_counted() -> None:
    seen = Samples(
        inputs={"features": np.array([[3], [4], [1000]], np.float32)}, targets=np.zeros(3, np.int64)
    )

    dataset = split(classified(20, test=seen), Split(validation=0.01), 0, "regression")

    known = set(rows(dataset)[0]) & {3, 4}
    assert dataset.notes == (f"{len(known)} of 3 test samples are in the training set too, value for value.",)


def test_samples_are_equal_only_if_all_their_inputs_are() -> None:
    table = Source(
        name="table",
        features=(Feature(name="x", kind="number"), Feature(name="word", kind="category")),
        samples=Samples(
            inputs={
                "x": np.repeat(np.array([1, 2], np.float32), 20),
                "word": np.array(["a", "b"] * 20, object),
            },
            targets=None,
        ),
        test=Samples(
            inputs={"x": np.array([1, 2, 3], np.float32), "word": np.array(["a", "c", "a"], object)},
            targets=None,
        ),
    )

    dataset = split(table, Split(), 0, "anomaly")

    assert dataset.notes == ("1 of 3 test samples are in the training set too, value for value.",)


def test_file_larger_than_memory_is_not_read_whole(tmp_path: Path) -> None:
    rows_on_disk = np.lib.format.open_memmap(tmp_path / "x.npy", "w+", np.float32, (50, 4))
    rows_on_disk[:] = np.arange(200).reshape(50, 4)
    some = Source(
        name="file",
        features=(Feature(name="features", kind="vector", shape=(4,)),),
        samples=Samples(inputs={"features": rows_on_disk}, targets=np.arange(50, dtype=np.float32)),
    )

    dataset = split(some, Split(by="time"), 0, "regression")

    assert np.shares_memory(dataset.train.inputs["features"], rows_on_disk)


def test_digest_names_the_content() -> None:
    assert classified(5, 5).digest == classified(5, 5).digest
    assert classified(5, 5).digest != classified(5, 6).digest
    assert classified(5, 5).digest != classified(5, 5, test=classified(5, 5).samples).digest
