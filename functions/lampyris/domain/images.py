"""Pictures to pixels, the same way when a model is trained and when it is served."""

from collections.abc import Sequence
from io import BytesIO
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from lampyris.domain.signature import DYNAMIC, ImageSpec
from lampyris.errors import ImagesTooLarge, ImageTooLarge, InvalidImage

FORMATS: Final = ("WEBP", "PNG", "JPEG")
# A small file may unfold to gigabytes: this many pixels are 192 MB as RGB, and more than most cameras have.
MAX_PIXELS: Final = 64_000_000
_WEBP_HEADER_BYTES: Final = 30


def decode_image(data: bytes, spec: ImageSpec) -> NDArray[np.uint8]:
    """Decode a picture to the pixels that a model takes: turned upright, in its channels, at its size.

    Of an animation it is the first frame. What is transparent keeps the colour that it hides.
    Shapes: -> (height, width, channels), 0 to 255. A size that differs is resampled bilinearly.
    Raises: InvalidImage if the bytes are no picture; ImageTooLarge.
    """
    pixels, _ = _decode(data, spec, "The image")
    return pixels


def decode_images(files: Sequence[bytes], spec: ImageSpec) -> NDArray[np.uint8]:
    """Decode the pictures of one request, which together may have as many pixels as one alone.

    Shapes: -> (N, height, width, channels), 0 to 255.
    Raises: InvalidImage or ImageTooLarge naming the picture by its place, 1 for the first; ImagesTooLarge.
    """
    decoded: list[NDArray[np.uint8]] = []
    total_pixels = 0
    for place, data in enumerate(files, start=1):
        pixels, source_pixels = _decode(data, spec, f"Image {place}")
        total_pixels += max(source_pixels, pixels.shape[0] * pixels.shape[1])
        if total_pixels > MAX_PIXELS:
            raise ImagesTooLarge(pixels=total_pixels, limit_pixels=MAX_PIXELS)
        if decoded and pixels.shape != decoded[0].shape:
            raise InvalidImage(
                reason=f"Image {place} has {_size(pixels)} pixels, image 1 has {_size(decoded[0])}; "
                "the model takes any size, but one for all that come together."
            )
        decoded.append(pixels)
    return np.stack(decoded)


def _size(pixels: NDArray[np.uint8]) -> str:
    return f"{pixels.shape[1]:,} x {pixels.shape[0]:,}"


def _decode(data: bytes, spec: ImageSpec, image: str) -> tuple[NDArray[np.uint8], int]:
    """Return a picture's pixels, and how many it had at its own size; `image` names it in a refusal."""
    Image.MAX_IMAGE_PIXELS = None  # our own limit is held before anything is decoded, and does not only warn
    try:
        _check_size(_webp_size(data), image)
        with Image.open(BytesIO(data), formats=FORMATS) as picture:
            _check_size(picture.size, image)
            source_pixels = picture.width * picture.height
            pixels = _in_channels(ImageOps.exif_transpose(picture), spec.channels)
    except UnidentifiedImageError:
        raise InvalidImage(
            reason=f"{image} cannot be read: it is not an image in one of {', '.join(FORMATS)}."
        ) from None
    except (ImageTooLarge, MemoryError):
        raise
    except Exception as error:  # Pillow's readers have no common root: struct.error of damaged EXIF is one
        raise InvalidImage(reason=f"{image} is damaged or cut short; send a whole one.") from error
    height = pixels.height if spec.height == DYNAMIC else spec.height
    width = pixels.width if spec.width == DYNAMIC else spec.width
    if pixels.size != (width, height):
        pixels = pixels.resize((width, height), Image.Resampling.BILINEAR)
    return np.asarray(pixels, dtype=np.uint8).reshape(height, width, spec.channels), source_pixels


def _check_size(size: tuple[int, int], image: str) -> None:
    width, height = size
    if width * height > MAX_PIXELS:
        raise ImageTooLarge(width=width, height=height, limit_pixels=MAX_PIXELS, image=image)


def _webp_size(data: bytes) -> tuple[int, int]:
    """Read the width and height of a WebP; Pillow takes memory for the whole of one as soon as it opens it.

    (0, 0) for what is none, or cut short.
    Source: RFC 9649, section 2.
    """
    if len(data) < _WEBP_HEADER_BYTES or data[:4] != b"RIFF":
        return 0, 0
    match data[8:16]:
        case b"WEBPVP8X":
            return 1 + int.from_bytes(data[24:27], "little"), 1 + int.from_bytes(data[27:30], "little")
        case b"WEBPVP8L":
            bits = int.from_bytes(data[21:25], "little")
            return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
        case b"WEBPVP8 ":
            sides = int.from_bytes(data[26:30], "little")
            return sides & 0x3FFF, sides >> 16 & 0x3FFF
        case _:
            return 0, 0


def _in_channels(picture: Image.Image, channels: int) -> Image.Image:
    if picture.mode.startswith("I"):  # 16 bits a pixel: Pillow's own conversion would clip, not scale
        picture = Image.fromarray((np.asarray(picture) >> 8).astype(np.uint8))
    return picture.convert("L" if channels == 1 else "RGB")
