"""What of the test set goes along with a bundle."""

from io import BytesIO

import numpy as np

from lampyris_build.data.dataset import Dataset, Samples
from lampyris_build.evaluation_set import make_evaluation_set


def opened(data: bytes) -> dict[str, np.ndarray]:
    with np.load(BytesIO(data), allow_pickle=False) as arrays:
        return dict(arrays)


def test_small_test_set_goes_along_whole(dataset: Dataset) -> None:
    arrays = opened(make_evaluation_set(dataset.test, seed=3))

    assert dataset.test.targets is not None
    assert arrays.keys() == {"image", "labels"}
    np.testing.assert_array_equal(arrays["image"], dataset.test.inputs["image"])
    np.testing.assert_array_equal(arrays["labels"], dataset.test.targets)


def many(rows: int) -> Samples:
    """Number rows by their first pixels."""
    images = np.zeros((rows, 8, 8, 1), np.uint8)
    images[:, 0, :2, 0] = np.arange(rows)[:, np.newaxis] // [1, 256] % 256
    return Samples(inputs={"image": images}, targets=np.arange(rows) % 4)


def test_of_a_large_test_set_a_thousand_rows_go_along_with_their_classes() -> None:
    arrays = opened(make_evaluation_set(many(5000), seed=3))

    numbers = arrays["image"][:, 0, 0, 0].astype(int) + 256 * arrays["image"][:, 0, 1, 0].astype(int)
    assert len(set(numbers)) == len(arrays["labels"]) == 1000
    np.testing.assert_array_equal(arrays["labels"], numbers % 4)


def test_same_seed_draws_the_same_rows_and_another_others() -> None:
    one, again, other = (make_evaluation_set(many(5000), seed=seed) for seed in (3, 3, 4))

    assert one == again
    assert one != other


def test_large_rows_go_along_as_far_as_they_fit() -> None:
    rows = Samples(inputs={"image": np.zeros((30, 1000, 1000, 1), np.uint8)}, targets=np.arange(30) % 4)

    arrays = opened(make_evaluation_set(rows, seed=3))

    assert len(arrays["labels"]) == 20


def test_words_go_along_without_a_pickle() -> None:
    rows = Samples(
        inputs={"town": np.array(["Ulm", "", "Łódź"], object), "age": np.array([1, np.nan, 3], np.float32)},
        targets=np.array([0, 1, 0]),
    )

    arrays = opened(make_evaluation_set(rows, seed=3))

    assert arrays["town"].tolist() == ["Ulm", "", "Łódź"]
    np.testing.assert_array_equal(arrays["age"], rows.inputs["age"])
