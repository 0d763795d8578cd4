"""Pictures to pixels, the same way when a model is trained and when it is served."""

from io import BytesIO
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from lampyris.domain.signature import DYNAMIC, ImageSpec
from lampyris.errors import ImageTooLarge, InvalidImage

FORMATS: Final = ("PNG", "JPEG")
# A small file may unfold to gigabytes: this many pixels are 192 MB as RGB, and more than most cameras have.
MAX_PIXELS: Final = 64_000_000


def decode_image(data: bytes, spec: ImageSpec) -> NDArray[np.uint8]:
    """Decode a picture to the pixels that a model takes: turned upright, in its channels, at its size.

    Shapes: -> (height, width, channels), 0 to 255. A size that differs is resampled bilinearly.
    Raises: InvalidImage if the bytes are no picture; ImageTooLarge.
    """
    Image.MAX_IMAGE_PIXELS = None  # our own limit is held before anything is decoded, and does not only warn
    try:
        with Image.open(BytesIO(data), formats=FORMATS) as picture:
            _check_size(picture)
            pixels = _in_channels(ImageOps.exif_transpose(picture), spec.channels)
    except UnidentifiedImageError:
        raise InvalidImage(reason=f"The body is not an image in one of {', '.join(FORMATS)}.") from None
    except (ImageTooLarge, MemoryError):
        raise
    except Exception as error:  # Pillow's readers have no common root: struct.error of damaged EXIF is one
        raise InvalidImage(reason="The image is damaged or cut short; send a whole one.") from error
    height = pixels.height if spec.height == DYNAMIC else spec.height
    width = pixels.width if spec.width == DYNAMIC else spec.width
    if pixels.size != (width, height):
        pixels = pixels.resize((width, height), Image.Resampling.BILINEAR)
    return np.asarray(pixels, dtype=np.uint8).reshape(height, width, spec.channels)


def _check_size(picture: Image.Image) -> None:
    if picture.width * picture.height > MAX_PIXELS:
        raise ImageTooLarge(width=picture.width, height=picture.height, limit_pixels=MAX_PIXELS)


def _in_channels(picture: Image.Image, channels: int) -> Image.Image:
    if picture.mode.startswith("I"):  # 16 bits a pixel: Pillow's own conversion would clip, not scale
        picture = Image.fromarray((np.asarray(picture) >> 8).astype(np.uint8))
    return picture.convert("L" if channels == 1 else "RGB")
