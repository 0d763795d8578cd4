"""A part of the test set that goes with the bundle: publishing measures on it, instead of believing ours."""

from io import BytesIO
from typing import Final

import numpy as np

from lampyris.domain.signature import Signature
from lampyris_build.data.dataset import Samples

# Enough to tell accuracies apart by a point, and little enough to be uploaded and run with every version.
_MAX_ROWS: Final = 1000
_MAX_BYTES: Final = 20_000_000


def make_evaluation_set(signature: Signature, test: Samples, seed: int) -> bytes:
    """Draw rows of the test set, without replacement and the same for the same seed, as an .npz file.

    It holds the model's raw inputs under their name, and the index of each row's class as `labels`.
    """
    row_bytes = test.inputs.nbytes // len(test)
    count = max(1, min(len(test), _MAX_ROWS, _MAX_BYTES // row_bytes))
    drawn = np.sort(np.random.default_rng(seed).choice(len(test), count, replace=False))
    rows = test.take(drawn)
    file = BytesIO()
    arrays = {signature.inputs[0].name: rows.inputs, "labels": rows.labels}
    np.savez_compressed(file, allow_pickle=False, **arrays)
    return file.getvalue()
