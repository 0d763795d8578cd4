"""The highest values of an output, with the names of their classes.

Source: Triton's classification extension (docs/protocol/extension_classification.md).
"""

from math import prod

import numpy as np

from lampyris.domain.tensors import Array


def top_classes(values: Array, count: int, labels: tuple[str, ...] | None) -> Array:
    """Write the `count` highest values of each row as "value:index:label", or "value:index" without labels.

    Shapes: (N, …) -> (N, count); without rows (C,) -> (count,). There are no more values than classes.
    Of equal values the first comes first; NaN comes last.
    """
    batch = values.shape[:1] if values.ndim > 1 else ()
    rows_NC = values.reshape(prod(batch), prod(values.shape[len(batch) :]))
    classes = rows_NC.shape[1]
    # Turned upside down without leaving the type: negated, or for integers every bit of them.
    order_NC = np.argsort(-rows_NC if rows_NC.dtype.kind == "f" else ~rows_NC, axis=1, kind="stable")
    if labels is None or len(labels) != classes:
        endings = [str(index) for index in range(classes)]
    else:
        endings = [f"{index}:{label}" for index, label in enumerate(labels)]
    top = [
        f"{_written(row[index].item())}:{endings[index]}"
        for row, order in zip(rows_NC, order_NC.tolist(), strict=True)
        for index in order[:count]
    ]
    return np.array(top, np.object_).reshape(*batch, min(count, classes))


def _written(value: float) -> str:
    return f"{value:f}" if type(value) is float else f"{value:d}"
