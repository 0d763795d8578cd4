"""What every build needs of what was read, whichever source it came from."""

import numpy as np

from lampyris_build.data.dataset import Samples, Source
from lampyris_build.data.spool import chunked
from lampyris_build.errors import DatasetBroken


def check_source(source: Source) -> None:
    """Hold what was read against what every build needs.

    Raises: DatasetBroken if there is nothing to learn from, if inputs and targets do not go together, or if
    the test set looks different from the training set.
    """
    _check_set(source, "training set", source.samples)
    if source.test is None:
        return
    _check_set(source, "test set", source.test)
    for name, values in source.samples.inputs.items():
        test = source.test.inputs[name]
        if test.shape[1:] != values.shape[1:]:
            raise DatasetBroken(
                path=source.name,
                reason=f"a sample has shape {values.shape[1:]} in the training set, "
                f"but {test.shape[1:]} in the test set.",
            )


def _check_set(source: Source, what: str, samples: Samples) -> None:
    def broken(reason: str) -> DatasetBroken:
        return DatasetBroken(path=source.name, reason=reason)

    if len(samples) == 0:
        raise broken(f"the {what} is empty.")
    if samples.targets is not None and len(samples) != len(samples.targets):
        raise broken(f"the {what} has {len(samples):,} inputs, but {len(samples.targets):,} targets.")
    for feature in source.features:
        values = samples.inputs[feature.name]
        if values.size == 0:
            raise broken(f"a sample of the {what} has shape {values.shape[1:]}, which holds nothing.")
        if feature.kind == "vector":
            for part in chunked(values, len(values)):
                if not np.isfinite(values[part]).all():
                    raise broken(f"the {what} holds NaN or infinity; fill or drop those rows.")
