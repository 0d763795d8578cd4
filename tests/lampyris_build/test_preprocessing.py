import msgspec
import numpy as np
import torch
from torch import nn

from lampyris_build.data import load_dataset
from lampyris_build.preprocessing import Classifier
from lampyris_build.recipe import Recipe, SklearnDataset


def test_pixels_are_normalised_by_the_moments_of_the_training_set(recipe: Recipe) -> None:
    dataset = load_dataset(recipe)
    train = dataset.train.inputs / 1.0

    seen = Classifier(dataset, nn.Identity())(torch.from_numpy(dataset.test.inputs))

    expected = (dataset.test.inputs - train.mean()) / train.std()
    assert seen.shape == (len(dataset.test), 1, 8, 8)
    np.testing.assert_allclose(seen.numpy(), expected.transpose(0, 3, 1, 2), atol=1e-5)


def test_features_are_normalised_one_by_one(recipe: Recipe) -> None:
    dataset = load_dataset(msgspec.structs.replace(recipe, dataset=SklearnDataset(name="wine")))

    seen = Classifier(dataset, nn.Identity())(torch.from_numpy(dataset.train.inputs))

    np.testing.assert_allclose(seen.mean(dim=0).numpy(), 0, atol=1e-4)
    np.testing.assert_allclose(seen.std(dim=0, correction=0).numpy(), 1, atol=1e-4)


def test_constant_feature_becomes_zero_not_nan(recipe: Recipe) -> None:
    dataset = load_dataset(msgspec.structs.replace(recipe, dataset=SklearnDataset(name="iris")))
    dataset.train.inputs[:, 0] = 5

    seen = Classifier(dataset, nn.Identity())(torch.from_numpy(dataset.train.inputs))

    np.testing.assert_array_equal(seen[:, 0].numpy(), 0)
