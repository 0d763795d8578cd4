"""How a sample is shown: pictures as pictures, series and long vectors as lines, all else as words."""

import base64
from io import BytesIO
from math import isnan
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from lampyris_build.data.dataset import Feature
from lampyris_build.report import told
from lampyris_build.report.markup import Html, element, text

_LARGEST: Final = 128  # pixels of a side
_FEW_VALUES: Final = 16
_MOST_LINES: Final = 4
_MOST_LETTERS: Final = 400


def shown(feature: Feature, value: Any, description: str) -> Html:
    """Show one value of one input; `description` is for those who cannot see it."""
    match feature.kind:
        case "image":
            return picture(value, description)
        case "series":
            return _line(np.asarray(value, np.float64).reshape(len(value), -1), description)
        case "vector" if np.size(value) > _FEW_VALUES:
            return _line(np.asarray(value, np.float64).reshape(-1, 1), description)
        case "vector":
            return text(", ".join(told.figure(float(one)) for one in np.ravel(value)))
        case "number":
            return text("missing" if isnan(value) else told.figure(float(value)))
        case _:
            words = str(value)
            return text(words[:_MOST_LETTERS] + "…" if len(words) > _MOST_LETTERS else words or "missing")


def picture(pixels_HWC: NDArray[np.uint8], description: str) -> Html:
    """Put a picture into the page, as a PNG of its own bytes."""
    height, width, channels = pixels_HWC.shape
    image = Image.fromarray(np.ascontiguousarray(pixels_HWC[:, :, 0] if channels == 1 else pixels_HWC))
    image.thumbnail((_LARGEST, _LARGEST))
    file = BytesIO()
    image.save(file, "PNG", optimize=True)
    data = base64.b64encode(file.getvalue()).decode()
    return element("img", src=f"data:image/png;base64,{data}", alt=description, width=width, height=height)


def _line(values_TF: NDArray[np.float64], description: str) -> Html:
    values_TF = values_TF[:, :_MOST_LINES]
    known_TF = np.isfinite(values_TF)
    if not known_TF.any():
        return text("missing")
    low, high = values_TF[known_TF].min(), values_TF[known_TF].max()
    across_T = np.linspace(1, 119, len(values_TF))
    paths = []
    for place in range(values_TF.shape[1]):
        known_T = known_TF[:, place]
        up_T = 38 - 36 * (values_TF[known_T, place] - low) / ((high - low) or 1.0)
        points = [f"{x:.1f} {y:.1f}" for x, y in zip(across_T[known_T], up_T, strict=True)]
        if points:
            paths.append(element("path", d="M" + "L".join(points), class_=f"line c{place}"))
    return element("svg", *paths, viewBox="0 0 120 40", role="img", aria_label=description, class_="spark")
