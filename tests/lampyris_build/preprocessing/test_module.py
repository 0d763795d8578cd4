import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from lampyris_build.data.dataset import Feature, Inputs, Samples
from lampyris_build.errors import DatasetBroken
from lampyris_build.preprocessing.module import Preprocessing

RNG = np.random.default_rng(0)


def fitted(feature: Feature, values: NDArray[np.generic]) -> Preprocessing:
    return Preprocessing.fit((feature,), samples({feature.name: values}))


def samples(inputs: Inputs) -> Samples:
    return Samples(inputs=inputs, targets=None)


def test_pixels_are_normalised_channel_by_channel_and_channels_come_first() -> None:
    pixels = RNG.integers(0, (100, 200, 255), (50, 6, 5, 3), dtype=np.uint8)
    preprocessing = fitted(Feature(name="image", kind="image", shape=(6, 5, 3)), pixels)

    seen = preprocessing(torch.from_numpy(pixels))

    expected = (pixels - pixels.mean(axis=(0, 1, 2))) / pixels.std(axis=(0, 1, 2))
    assert preprocessing.shape == seen.shape[1:] == (3, 6, 5)
    np.testing.assert_allclose(seen, expected.transpose(0, 3, 1, 2), atol=1e-5)


def test_vectors_are_standardised_feature_by_feature() -> None:
    vectors = RNG.normal([1, 1000], [2, 0.5], (200, 2)).astype(np.float32)
    preprocessing = fitted(Feature(name="features", kind="vector", shape=(2,)), vectors)

    seen = preprocessing(torch.from_numpy(vectors))

    assert preprocessing.shape == (2,)
    np.testing.assert_allclose(seen.mean(dim=0), 0, atol=1e-4)
    np.testing.assert_allclose(seen.std(dim=0, correction=0), 1, atol=1e-4)


def test_constant_feature_becomes_zero_not_nan() -> None:
    vectors = np.full((4, 1), 0.1, np.float32)
    preprocessing = fitted(Feature(name="features", kind="vector", shape=(1,)), vectors)

    assert preprocessing(torch.from_numpy(vectors)).tolist() == [[0]] * 4


def test_missing_numbers_are_filled_by_the_median_of_the_training_set() -> None:
    vectors = np.array([[1], [2], [np.nan], [300]], np.float32)
    preprocessing = fitted(Feature(name="features", kind="vector", shape=(1,)), vectors)

    seen = preprocessing(torch.tensor([[np.nan], [2.0]]))

    assert seen[0] == seen[1]


def test_series_are_standardised_over_all_moments() -> None:
    series = RNG.normal([5, -5], [1, 3], (80, 12, 2)).astype(np.float32)
    series[3, 4, 1] = np.nan
    preprocessing = fitted(Feature(name="series", kind="series", shape=(12, 2)), series)

    seen = preprocessing(torch.from_numpy(series))

    assert preprocessing.shape == (12, 2)
    assert torch.isfinite(seen).all()
    np.testing.assert_allclose(seen.mean(dim=(0, 1)), 0, atol=1e-5)
    np.testing.assert_allclose(seen.std(dim=(0, 1), correction=0), 1, atol=1e-5)


@pytest.mark.parametrize("kind", ["text", "tokens"])
def test_words_and_tokens_stay_as_they_are(kind: str) -> None:
    ids = np.array([[2, 3, 9], [1, 0, 0]])
    preprocessing = fitted(Feature(name="ids", kind=kind, shape=()), ids)  # type: ignore[arg-type]  # one of two

    assert preprocessing(torch.from_numpy(ids)).tolist() == ids.tolist()
    assert preprocessing.shape == (3,)
    assert preprocessing.vocabulary_size == 10


def test_columns_of_numbers_and_categories_become_one_matrix() -> None:
    features = (
        Feature(name="age", kind="number"),
        Feature(name="town", kind="category"),
        Feature(name="height", kind="number"),
    )
    inputs: Inputs = {
        "age": np.array([20, 40, np.nan, 60], np.float32),
        "town": np.array([2, 3, 0, 2]),
        "height": np.array([1, 2, 1, 2], np.float32),
    }

    preprocessing = Preprocessing.fit(features, samples(inputs))
    seen = preprocessing(*map(torch.from_numpy, inputs.values()))

    assert preprocessing.shape == (5,)
    np.testing.assert_allclose(seen[:, 0], np.array([-20, 0, 0, 20]) / np.std([20, 40, 40, 60]), atol=1e-6)
    np.testing.assert_allclose(seen[:, 1], [-1, 1, -1, 1], atol=1e-6)
    assert seen[:, 2:].tolist() == [[0, 1, 0], [0, 0, 1], [1, 0, 0], [0, 1, 0]]  # missing, 2, 3


def test_category_that_the_training_set_lacks_is_none_of_those_it_holds() -> None:
    features = (Feature(name="town", kind="category"),)
    preprocessing = Preprocessing.fit(features, samples({"town": np.array([2, 3, 2])}))

    seen = preprocessing(torch.tensor([0, 1, 2]))

    assert seen.tolist() == [[0, 0], [0, 0], [1, 0]]


def test_text_beside_other_columns_is_refused() -> None:
    features = (Feature(name="price", kind="number"), Feature(name="review", kind="text"))
    inputs: Inputs = {"price": np.zeros(2, np.float32), "review": np.zeros((2, 3), np.int64)}

    with pytest.raises(DatasetBroken, match="'review' is text, which a model takes alone"):
        Preprocessing.fit(features, samples(inputs))
