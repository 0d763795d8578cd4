"""The small datasets that scikit-learn carries."""

from typing import Final

import numpy as np

from lampyris_build.data.dataset import Feature, Samples, Source
from lampyris_build.recipe.sources import SklearnSource

_DIGITS_WHITE: Final = 16.0


def read_sklearn(source: SklearnSource) -> Source:
    """Read a dataset by name; digits' 0 to 16 become pixels from 0 to 255. Diabetes has no classes."""
    # Takes a second to import, and no other source wants it.
    from sklearn import datasets  # noqa: PLC0415

    bunch = getattr(datasets, f"load_{source.name}")()
    if source.name == "digits":
        values = np.round(bunch.images * (255 / _DIGITS_WHITE)).astype(np.uint8)[..., np.newaxis]
        feature = Feature(name="image", kind="image", shape=values.shape[1:])
    else:
        values = bunch.data.astype(np.float32)
        feature = Feature(name="features", kind="vector", shape=values.shape[1:])
    return Source(
        name=source.name,
        features=(feature,),
        samples=Samples(inputs={feature.name: values}, targets=bunch.target),
        classes=tuple(str(name) for name in bunch.target_names) if "target_names" in bunch else None,
    )
