"""What of the test set goes along with a bundle."""

from io import BytesIO

import numpy as np

from lampyris_build.data.dataset import Dataset, Samples
from lampyris_build.evaluation_set import make_evaluation_set
from lampyris_build.export import signature_of


def opened(data: bytes) -> dict[str, np.ndarray]:
    with np.load(BytesIO(data), allow_pickle=False) as arrays:
        return dict(arrays)


def test_small_test_set_goes_along_whole(dataset: Dataset) -> None:
    arrays = opened(make_evaluation_set(signature_of(dataset), dataset.test, seed=3))

    assert arrays.keys() == {"image", "labels"}
    np.testing.assert_array_equal(arrays["image"], dataset.test.inputs)
    np.testing.assert_array_equal(arrays["labels"], dataset.test.labels)


def many(dataset: Dataset, rows: int) -> Samples:
    """Number rows by their first pixels."""
    inputs = np.zeros((rows, *dataset.sample_shape), np.uint8)
    inputs[:, 0, :2, 0] = np.arange(rows)[:, np.newaxis] // [1, 256] % 256
    return Samples(inputs=inputs, labels=np.arange(rows) % 4)


def test_of_a_large_test_set_a_thousand_rows_go_along_with_their_classes(dataset: Dataset) -> None:
    arrays = opened(make_evaluation_set(signature_of(dataset), many(dataset, 5000), seed=3))

    numbers = arrays["image"][:, 0, 0, 0].astype(int) + 256 * arrays["image"][:, 0, 1, 0].astype(int)
    assert len(set(numbers)) == len(arrays["labels"]) == 1000
    np.testing.assert_array_equal(arrays["labels"], numbers % 4)


def test_same_seed_draws_the_same_rows_and_another_others(dataset: Dataset) -> None:
    signature, test = signature_of(dataset), many(dataset, 5000)

    one, again, other = (make_evaluation_set(signature, test, seed=seed) for seed in (3, 3, 4))

    assert one == again
    assert one != other


def test_large_rows_go_along_as_far_as_they_fit(dataset: Dataset) -> None:
    rows = Samples(inputs=np.zeros((30, 1000, 1000, 1), np.uint8), labels=np.arange(30) % 4)

    arrays = opened(make_evaluation_set(signature_of(dataset), rows, seed=3))

    assert len(arrays["labels"]) == 20
