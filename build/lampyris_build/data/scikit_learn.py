"""The small datasets that scikit-learn carries."""

import numpy as np

from lampyris_build.data.dataset import Samples, Source, source_of
from lampyris_build.recipe import SklearnDataset

_DIGITS_WHITE = 16.0


def read_sklearn(dataset: SklearnDataset) -> Source:
    """Read a dataset by name; digits' 0 to 16 become pixels from 0 to 255."""
    # Takes a second to import, and no other source wants it.
    from sklearn import datasets  # noqa: PLC0415

    bunch = getattr(datasets, f"load_{dataset.name}")()
    labels = bunch.target.astype(np.int64)
    classes = tuple(str(name) for name in bunch.target_names)
    if dataset.name == "digits":
        pixels = np.round(bunch.images * (255 / _DIGITS_WHITE)).astype(np.uint8)
        return source_of(dataset.name, classes, Samples(inputs=pixels[..., np.newaxis], labels=labels))
    return source_of(dataset.name, classes, Samples(inputs=bunch.data.astype(np.float32), labels=labels))
