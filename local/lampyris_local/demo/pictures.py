"""Pictures drawn with characters: two pixels in a cell where there are colours, shades of ASCII where not."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from rich.color import Color
from rich.style import Style
from rich.text import Text

# The upper half of a cell is drawn in the foreground, the lower shows the background.
_UPPER_HALF = "▀"
_SHADES = " .:-=+*#%@"
# Each cell of a terminal is about twice as high as it is wide.
_CELLS_HIGH = 8
CELLS_WIDE = 16
_GREY = 1


def draw(pixels: NDArray[np.uint8], *, colours: bool) -> Text:
    """Draw a picture, 16 cells wide and 8 high.

    Shapes: (height, width, 1 or 3), 0 to 255.
    """
    return _half_blocks(pixels) if colours else _ascii(pixels)


def _half_blocks(pixels: NDArray[np.uint8]) -> Text:
    resized = _resized(pixels, width=CELLS_WIDE, height=2 * _CELLS_HIGH).convert("RGB")
    rows = np.asarray(resized).tolist()
    lines = [
        Text.assemble(
            *(
                (_UPPER_HALF, Style(color=Color.from_rgb(*above), bgcolor=Color.from_rgb(*below)))
                for above, below in zip(upper, lower, strict=True)
            )
        )
        for upper, lower in zip(rows[::2], rows[1::2], strict=True)
    ]
    return Text("\n").join(lines)


def _ascii(pixels: NDArray[np.uint8]) -> Text:
    rows = np.asarray(_resized(pixels, width=CELLS_WIDE, height=_CELLS_HIGH).convert("L"), dtype=np.int64)
    shades = rows * (len(_SHADES) - 1) // 255
    return Text("\n".join("".join(_SHADES[shade] for shade in row) for row in shades))


def _resized(pixels: NDArray[np.uint8], *, width: int, height: int) -> Image.Image:
    picture = to_image(pixels)
    # Shrunk, every pixel counts; enlarged, pixels stay the squares that they are.
    enlarged = picture.width <= width and picture.height <= height
    return picture.resize((width, height), Image.Resampling.NEAREST if enlarged else Image.Resampling.BOX)


def to_image(pixels: NDArray[np.uint8]) -> Image.Image:
    """Turn (height, width, 1 or 3) pixels into a picture."""
    return Image.fromarray(pixels[:, :, 0] if pixels.shape[2] == _GREY else pixels)
