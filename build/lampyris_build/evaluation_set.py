"""A part of the test set that goes with the bundle: publishing measures on it, instead of believing ours."""

from io import BytesIO
from typing import Final

import numpy as np

from lampyris_build.data.dataset import Samples

# Enough to tell accuracies apart by a point, and little enough to be uploaded and run with every version.
_MAX_ROWS: Final = 1000
_MAX_BYTES: Final = 20_000_000
_STRING_BYTES: Final = 1000  # what a row with strings may take at most, for the sake of the size


def make_evaluation_set(test: Samples, seed: int) -> bytes:
    """Draw rows of a classifier's test set, as an .npz file; the same seed draws the same.

    It holds the model's raw inputs under their names, and the index of each row's class as `labels`.
    """
    row_bytes = sum(
        _STRING_BYTES if values.dtype == object else values[:1].nbytes for values in test.inputs.values()
    )
    count = max(1, min(len(test), _MAX_ROWS, _MAX_BYTES // row_bytes))
    drawn = np.sort(np.random.default_rng(seed).choice(len(test), count, replace=False))
    rows = test.take(drawn)
    assert rows.targets is not None
    # Strings as numpy's own: objects would be pickled, and no pickle is ever read.
    arrays = {
        name: values.astype(np.str_) if values.dtype == object else values
        for name, values in rows.inputs.items()
    }
    file = BytesIO()
    np.savez_compressed(file, allow_pickle=False, **arrays, labels=rows.targets)
    return file.getvalue()
