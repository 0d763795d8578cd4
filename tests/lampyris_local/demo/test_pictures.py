import numpy as np
from rich.color import Color

from lampyris_local.demo.pictures import CELLS_WIDE, draw, to_image

WHITE_ON_THE_LEFT = np.repeat(np.array([[[255], [0]]], dtype=np.uint8), 2, axis=0)


def test_picture_without_colours_is_shades_of_ascii() -> None:
    text = draw(WHITE_ON_THE_LEFT, colours=False)

    assert text.plain.splitlines() == ["@" * 8 + " " * 8] * 8


def test_picture_in_colours_puts_two_pixels_into_a_cell() -> None:
    pixels = np.zeros((16, 16, 3), dtype=np.uint8)
    pixels[0, 0] = (255, 0, 0)
    pixels[1, 0] = (0, 255, 0)

    text = draw(pixels, colours=True)

    first = text.spans[0].style
    assert not isinstance(first, str)
    assert (first.color, first.bgcolor) == (Color.from_rgb(255, 0, 0), Color.from_rgb(0, 255, 0))
    assert [len(line) for line in text.plain.splitlines()] == [CELLS_WIDE] * 8


def test_large_picture_is_shrunk_to_the_same_cells() -> None:
    pixels = np.full((280, 280, 1), 255, dtype=np.uint8)

    text = draw(pixels, colours=False)

    assert text.plain.splitlines() == ["@" * 16] * 8


def test_picture_keeps_its_channels() -> None:
    modes = [to_image(np.zeros((2, 2, channels), dtype=np.uint8)).mode for channels in (1, 3)]

    assert modes == ["L", "RGB"]
