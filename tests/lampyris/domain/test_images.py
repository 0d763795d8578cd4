from io import BytesIO
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from lampyris.domain.images import MAX_PIXELS, decode_image, decode_images
from lampyris.domain.signature import ImageSpec
from lampyris.errors import ImagesTooLarge, ImageTooLarge, InvalidImage

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


def webp(picture: Image.Image, **options: Any) -> bytes:
    file = BytesIO()
    picture.save(file, "WEBP", **options)
    return file.getvalue()


@pytest.mark.parametrize("options", [{"lossless": True}, {"lossless": True, "exif": b"Exif\0\0"}])
def test_a_webp_without_loss_arrives_as_it_is(options: dict[str, Any]) -> None:
    pixels = decode_image(webp(gradient().convert("RGB"), **options), COLOUR)

    np.testing.assert_array_equal(pixels[..., 0], np.arange(24).reshape(4, 6))


def test_a_webp_with_loss_is_near() -> None:
    pixels = decode_image(webp(Image.new("RGB", (6, 4), (200, 100, 50)), quality=90), COLOUR)

    np.testing.assert_allclose(pixels.mean(axis=(0, 1)), [200, 100, 50], atol=5)


@pytest.mark.parametrize("kind", ["WEBP", "PNG"])
def test_an_animation_is_its_first_frame(kind: str) -> None:
    frames = [Image.new("RGB", (6, 4), (grey, grey, grey)) for grey in (0, 255)]
    file = BytesIO()
    frames[0].save(file, kind, save_all=True, append_images=frames[1:], duration=100)

    assert decode_image(file.getvalue(), COLOUR).max() < 10


@pytest.mark.parametrize(
    "options", [{"lossless": True}, {"quality": 50}, {"lossless": True, "exif": b"Exif\0\0"}]
)
def test_a_webp_of_too_many_pixels_is_refused(options: dict[str, Any]) -> None:
    # Pillow needs seconds to write a real one: the width and height in a small one's header are changed.
    data = bytearray(webp(gradient().convert("RGB"), **options))
    match data[12:16]:
        case b"VP8L":
            data[21:25] = (0x0FFF_FFFF).to_bytes(4, "little")
        case b"VP8 ":
            data[26:30] = (0x3FFF_3FFF).to_bytes(4, "little")
        case _:
            data[24:30] = b"\xff" * 6

    with pytest.raises(ImageTooLarge, match="Send a smaller one"):
        decode_image(bytes(data), COLOUR)


def test_pictures_of_one_request_keep_their_order() -> None:
    files = [encoded(Image.new("L", (side, side), side)) for side in (3, 9, 5)]

    pixels = decode_images(files, GREY)

    assert pixels.shape == (3, 4, 6, 1)
    assert pixels[:, 0, 0, 0].tolist() == [3, 9, 5]


def test_the_picture_that_is_wrong_is_named() -> None:
    good = encoded(gradient())
    bomb = encoded(Image.new("1", (8001, 8000)))

    with pytest.raises(InvalidImage, match="Image 2 cannot be read: it is not an image in one of"):
        decode_images([good, b"GIF89a"], GREY)
    with pytest.raises(InvalidImage, match="Image 3 is damaged or cut short"):
        decode_images([good, good, good[:60]], GREY)
    with pytest.raises(ImageTooLarge, match=r"Image 2 has 8,001 x 8,000 pixels"):
        decode_images([good, bomb], GREY)


def test_pictures_of_one_request_have_one_size_where_the_model_takes_any() -> None:
    sizes = [encoded(gradient(9, 11)), encoded(gradient(4, 6))]

    assert decode_images(sizes[:1] * 2, ANY_SIZE).shape == (2, 9, 11, 1)
    with pytest.raises(InvalidImage, match="Image 2 has 6 x 4 pixels, image 1 has 11 x 9"):
        decode_images(sizes, ANY_SIZE)


def test_pictures_together_have_no_more_pixels_than_one_may_have() -> None:
    large = encoded(Image.new("1", (6000, 5500)))

    with pytest.raises(ImagesTooLarge, match="66,000,000 pixels together"):
        decode_images([large, large, b"not looked at"], GREY)


def test_small_pictures_count_as_what_the_model_makes_of_them() -> None:
    wide = ImageSpec(input="image", height=5500, width=6000, channels=1)

    with pytest.raises(ImagesTooLarge, match="66,000,000 pixels together, or will have"):
        decode_images([encoded(gradient())] * 2, wide)


@given(
    st.binary(max_size=200),
    st.integers(min_value=0, max_value=60),
    st.sampled_from([encoded(gradient()), webp(gradient().convert("RGB"))]),
)
def test_random_bytes_are_an_image_or_refused(noise: bytes, kept: int, whole: bytes) -> None:
    try:
        pixels = decode_image(whole[:kept] + noise, GREY)
    except (InvalidImage, ImageTooLarge):
        return
    assert pixels.shape == (4, 6, 1)
