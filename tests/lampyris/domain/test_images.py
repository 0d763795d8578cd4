from io import BytesIO

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from lampyris.domain.images import MAX_PIXELS, decode_image
from lampyris.domain.signature import ImageSpec
from lampyris.errors import ImageTooLarge, InvalidImage

GREY = ImageSpec(input="image", height=4, width=6, channels=1)
COLOUR = ImageSpec(input="image", height=4, width=6, channels=3)
ANY_SIZE = ImageSpec(input="image", height=-1, width=-1, channels=1)


def encoded(picture: Image.Image, kind: str = "PNG") -> bytes:
    file = BytesIO()
    picture.save(file, kind)
    return file.getvalue()


def gradient(height: int = 4, width: int = 6) -> Image.Image:
    return Image.fromarray(np.arange(height * width, dtype=np.uint8).reshape(height, width))


def test_pixels_of_the_right_size_arrive_as_they_are() -> None:
    pixels = decode_image(encoded(gradient()), GREY)

    np.testing.assert_array_equal(pixels[..., 0], np.arange(24).reshape(4, 6))


def test_another_size_is_resampled_to_the_models() -> None:
    assert decode_image(encoded(gradient(40, 50)), GREY).shape == (4, 6, 1)


def test_a_model_of_any_size_gets_the_pictures_own() -> None:
    assert decode_image(encoded(gradient(9, 11)), ANY_SIZE).shape == (9, 11, 1)


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "RGBA", "LA", "CMYK"])
def test_every_mode_becomes_the_models_channels(mode: str) -> None:
    picture = Image.new("RGB", (6, 4), (255, 255, 255)).convert(mode)
    kind = "JPEG" if mode == "CMYK" else "PNG"

    assert decode_image(encoded(picture, kind), COLOUR).shape == (4, 6, 3)
    assert decode_image(encoded(picture, kind), GREY).min() > 250


def test_sixteen_bits_are_scaled_to_eight() -> None:
    picture = Image.fromarray(np.full((4, 6), 0x8000, np.uint16))

    assert decode_image(encoded(picture), GREY).max() == 0x80


def test_a_photograph_is_turned_upright() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was turned by a quarter
    file = BytesIO()
    gradient(6, 4).save(file, "PNG", exif=exif)

    assert decode_image(file.getvalue(), ANY_SIZE).shape == (4, 6, 1)


def test_a_cut_short_picture_is_refused() -> None:
    whole = encoded(gradient(64, 64))

    with pytest.raises(InvalidImage, match="damaged or cut short"):
        decode_image(whole[: len(whole) // 2], GREY)


def test_a_photograph_with_damaged_exif_is_refused() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    exif[0x0100] = 5
    file = BytesIO()
    gradient(6, 4).save(file, "JPEG", exif=exif)
    # The type of a number becomes that of a text: Pillow reads it so, and cannot write it back.
    damaged = file.getvalue().replace(b"\1\0\0\4\0\0\0\1", b"\1\0\0\2\0\0\0\1")

    with pytest.raises(InvalidImage, match="damaged or cut short"):
        decode_image(damaged, GREY)


@pytest.mark.parametrize("times", [1, 3])
def test_a_bomb_is_refused_before_it_unfolds(times: int) -> None:
    side = int((times * MAX_PIXELS) ** 0.5) + 1
    bomb = encoded(Image.new("1", (side, side)))

    with pytest.raises(ImageTooLarge, match="Send a smaller one"):
        decode_image(bomb, GREY)


@given(st.binary(max_size=200), st.integers(min_value=0, max_value=60))
def test_random_bytes_are_an_image_or_refused(noise: bytes, kept: int) -> None:
    try:
        pixels = decode_image(encoded(gradient())[:kept] + noise, GREY)
    except InvalidImage:
        return
    assert pixels.shape == (4, 6, 1)
