"""Answers as comma-separated values with a header (RFC 4180): a line for each row that was sent.

- A classifier's columns are label, probability, and probability_X for each label X. With ?top=K they are
  label_1, probability_1, label_2, ..., best first.
- Any other model's are its outputs: a column with an output's name, or name_0, name_1, ... where a row of it
  has several values, the last axis fastest.

Numbers are as short as they can be and still read back the same, in their own precision. Booleans are true
and false; what is not finite is nan, inf or -inf.
"""

import csv
from collections.abc import Iterable, Mapping
from io import StringIO
from itertools import chain
from math import prod
from typing import Any

import numpy as np

from lampyris.domain.tensors import Array
from lampyris.errors import NotAcceptable
from lampyris.http.predictions.media_types import CSV, GIVEN

CSV_WITH_HEADER = f"{CSV}; charset=utf-8; header=present"
_MAX_COLUMNS = 16_384  # no spreadsheet opens more


def class_table(probabilities_NC: Array, best_NK: Array, labels: tuple[str, ...], top: int | None) -> str:
    """Write what a classifier says of each row.

    Shapes: probabilities (N, C); the places of the best labels (N, top), or (N, 1) without `top`.
    """
    rows = zip(_cells(probabilities_NC), best_NK.tolist(), strict=True)
    if top is None:
        header = ["label", "probability", *(f"probability_{label}" for label in labels)]
        return _written(header, ([labels[best], row[best], *row] for row, (best,) in rows))
    header = [f"{name}_{place}" for place in range(1, top + 1) for name in ("label", "probability")]
    return _written(
        header, ([cell for place in best for cell in (labels[place], row[place])] for row, best in rows)
    )


def output_table(rows: Mapping[str, Array]) -> str:
    """Write outputs, (N, ...), side by side. Raises: NotAcceptable if they have too many columns."""
    widths = {name: prod(values.shape[1:]) for name, values in rows.items()}
    if sum(widths.values()) > _MAX_COLUMNS:
        raise NotAcceptable(
            reason=f"The outputs have {sum(widths.values()):,} values a row; a table has at most "
            f"{_MAX_COLUMNS:,} columns. Accept one of {', '.join(name for name in GIVEN if name != CSV)}."
        )
    header: list[str] = []
    for name, width in widths.items():
        header += [name] if width == 1 else [f"{name}_{place}" for place in range(width)]
    cells = (_cells(values.reshape(len(values), widths[name])) for name, values in rows.items())
    return _written(header, map(chain.from_iterable, zip(*cells, strict=True)))


def _cells(values_NW: Array) -> list[list[Any]]:
    if values_NW.dtype.kind == "b":
        return [["true" if value else "false" for value in row] for row in values_NW.tolist()]
    if values_NW.dtype in (np.float16, np.float32):
        return [
            [str(value) for value in row] for row in values_NW
        ]  # a float of Python's would show more digits
    rows: list[list[Any]] = values_NW.tolist()
    return rows


def _written(header: list[str], rows: Iterable[Iterable[Any]]) -> str:
    file = StringIO(newline="")
    writer = csv.writer(file)
    writer.writerow(header)
    writer.writerows(rows)
    return file.getvalue()
