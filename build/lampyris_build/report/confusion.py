"""What a classifier takes for what: a table, or a map of many classes, and what is mistaken most."""

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from lampyris_build.report import told
from lampyris_build.report.markup import Html, element, figure, paragraph, scrolled, table, text

_MOST_IN_TABLE: Final = 20  # classes whose counts can be read
_MOST_PAIRS: Final = 12
_SHADES: Final = 10
_CAPTION: Final = (
    "A row for each true class, a column for what it was taken for; "
    "the deeper the blue, the larger the share of the row."
)


def confusion(counts_KK: NDArray[np.int64], names: Sequence[str]) -> Html:
    """Draw the matrix, (K, K): rows are true classes, columns what was predicted."""
    shares_KK = counts_KK / np.maximum(counts_KK.sum(axis=1, keepdims=True), 1)
    shades_KK = np.ceil(_SHADES * shares_KK).astype(np.int64)
    if len(names) > _MOST_IN_TABLE:
        return figure(_map(shades_KK), _CAPTION)
    return scrolled(_table(counts_KK, shades_KK, names), "Confusion matrix")


def pairs(counts_KK: NDArray[np.int64], names: Sequence[str]) -> Html:
    """List which class was taken for which most often."""
    wrong_KK = counts_KK - np.diag(np.diag(counts_KK))
    most = np.argsort(-wrong_KK, axis=None, kind="stable")[:_MOST_PAIRS]
    rows = []
    for true, predicted in zip(*np.unravel_index(most, wrong_KK.shape), strict=True):
        count = int(wrong_KK[true, predicted])
        if count:
            part = told.share(count / counts_KK[true].sum())
            rows.append((names[true], names[predicted], f"{count:,}", part))
    if not rows:
        return paragraph("It took no class for another.")
    header = ("True class", "Taken for", "Times", "Of that class")
    return table(header, rows, numbers=range(2, 4), caption="What was mistaken most often")


def _table(counts_KK: NDArray[np.int64], shades_KK: NDArray[np.int64], names: Sequence[str]) -> Html:
    head = [element("td", text("true \\ taken for"))]
    head += [element("th", text(name), scope="col") for name in names]
    rows = []
    for name, counts, shades in zip(names, counts_KK.tolist(), shades_KK.tolist(), strict=True):
        cells = [
            element("td", text(f"{count:,}" if count else ""), class_=f"s{shade}")
            for count, shade in zip(counts, shades, strict=True)
        ]
        rows.append(element("tr", element("th", text(name), scope="row"), *cells))
    return element(
        "table",
        element("caption", text(_CAPTION)),
        element("thead", element("tr", *head)),
        element("tbody", *rows),
        class_="confusion",
    )


def _map(shades_KK: NDArray[np.int64]) -> Html:
    """Draw the matrix without its counts: one path for each shade."""
    count = len(shades_KK)
    paths = [element("path", d=f"M0 0h{count}v{count}H0z", class_="frame")]
    for shade in range(1, _SHADES + 1):
        rows, columns = (places.tolist() for places in np.nonzero(shades_KK == shade))
        path = "".join(f"M{x} {y}h1v1h-1z" for y, x in zip(rows, columns, strict=True))
        paths.append(element("path", d=path, class_=f"f{shade}"))
    label = (
        f"Confusion matrix of {count} classes, in the order of the table below; what is right is the diagonal"
    )
    return element("svg", *paths, viewBox=f"0 0 {count} {count}", role="img", aria_label=label, class_="map")
