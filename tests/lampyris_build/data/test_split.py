import numpy as np
import pytest

from lampyris_build.data.dataset import Samples, Source
from lampyris_build.data.split import split
from lampyris_build.errors import DatasetBroken


def source(counts: tuple[int, ...], *, with_test: bool = False) -> Source:
    labels = np.repeat(np.arange(len(counts)), counts)
    samples = Samples(inputs=np.arange(len(labels), dtype=np.float32)[:, np.newaxis], labels=labels)
    return Source(
        name="some",
        classes=("a", "b", "c")[: len(counts)],
        samples=samples,
        test=samples if with_test else None,
    )


def test_every_sample_is_in_exactly_one_set() -> None:
    dataset = split(source((50, 30, 20)), test_fraction=0.2, validation_fraction=0.1, seed=0)

    parts = [one.inputs.ravel() for one in (dataset.train, dataset.validation, dataset.test)]
    np.testing.assert_array_equal(np.sort(np.concatenate(parts)), np.arange(100))


def test_every_set_has_its_share_of_every_class() -> None:
    dataset = split(source((50, 30, 20)), test_fraction=0.2, validation_fraction=0.1, seed=0)

    np.testing.assert_array_equal(np.bincount(dataset.test.labels), [10, 6, 4])
    np.testing.assert_array_equal(np.bincount(dataset.validation.labels), [4, 2, 2])


def test_same_seed_splits_alike_and_another_otherwise() -> None:
    first, again, other = (
        split(source((50, 30)), test_fraction=0.2, validation_fraction=0.1, seed=seed) for seed in (1, 1, 2)
    )

    np.testing.assert_array_equal(first.train.inputs, again.train.inputs)
    assert not np.array_equal(first.train.inputs, other.train.inputs)


def test_given_test_set_stays_as_it_is() -> None:
    given = source((5, 5), with_test=True)

    dataset = split(given, test_fraction=0.5, validation_fraction=0.2, seed=0)

    assert dataset.test is given.test
    assert len(dataset.train) == 8


def test_class_too_small_for_all_sets_is_named() -> None:
    with pytest.raises(DatasetBroken, match="class 'b' has too few samples"):
        split(source((50, 2)), test_fraction=0.2, validation_fraction=0.1, seed=0)


def test_digest_names_the_content() -> None:
    assert source((5, 5)).digest == source((5, 5)).digest
    assert source((5, 5)).digest != source((5, 6)).digest
    assert source((5, 5)).digest != source((5, 5), with_test=True).digest
