"""The column by which rows are split: the group of each, or the moment."""

from datetime import UTC, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lampyris_build.data.dataset import is_missing
from lampyris_build.errors import DatasetBroken


def check_keys(name: str, keys: NDArray[Any]) -> None:
    """Make sure that every row has a key; `name` is the dataset's. Raises: DatasetBroken."""
    if missing := np.count_nonzero(is_missing(keys)):
        raise DatasetBroken(
            path=name, reason=f"{missing:,} rows hold nothing in split.column; fill it, or leave them out."
        )


def moments(name: str, keys: NDArray[Any]) -> NDArray[Any]:
    """Return keys in an order that is that of time: numbers as they are, words as ISO 8601.

    Raises: DatasetBroken.
    """
    check_keys(name, keys)
    if keys.dtype != object:
        return keys
    try:
        return np.array([_timestamp(key) for key in keys])
    except ValueError:
        raise DatasetBroken(
            path=name,
            reason='split.by is "time", but split.column holds neither numbers nor dates in ISO 8601, '
            f"such as 2026-03-31 or 2026-03-31T08:30:00; it holds {keys[0]!r}.",
        ) from None


def _timestamp(text: str) -> float:
    moment = datetime.fromisoformat(text)
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
