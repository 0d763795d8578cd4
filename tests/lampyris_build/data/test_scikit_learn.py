import numpy as np
import pytest
from sklearn import datasets

from lampyris_build.data.scikit_learn import read_sklearn
from lampyris_build.recipe.sources import SklearnSource


def test_digits_become_pixels_from_0_to_255() -> None:
    source = read_sklearn(SklearnSource(name="digits"))

    pixels = source.samples.inputs["image"]
    assert pixels.shape == (1797, 8, 8, 1)
    assert pixels.dtype == np.uint8
    original = datasets.load_digits().images
    np.testing.assert_allclose(pixels[..., 0] / 255, original / 16, atol=0.5 / 255 + 1e-9)


@pytest.mark.parametrize(
    ("name", "features", "classes"),
    [("iris", 4, ("setosa", "versicolor", "virginica")), ("breast_cancer", 30, ("malignant", "benign"))],
)
def test_tables_become_vectors_with_named_classes(name: str, features: int, classes: tuple[str, ...]) -> None:
    source = read_sklearn(SklearnSource(name=name))  # type: ignore[arg-type]  # one of its literals

    vectors = source.samples.inputs["features"]
    assert vectors.shape[1:] == (features,)
    assert vectors.dtype == np.float32
    assert source.classes == classes


def test_diabetes_has_numbers_to_predict_and_no_classes() -> None:
    source = read_sklearn(SklearnSource(name="diabetes"))

    assert source.classes is None
    np.testing.assert_array_equal(source.samples.targets, datasets.load_diabetes().target)
