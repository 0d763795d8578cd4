"""What a model takes and gives. The serving side owns it; a build must satisfy it."""

import msgspec

from lampyris.domain.datatypes import Datatype

DYNAMIC = -1
_IMAGE_RANK = 4
_IMAGE_CHANNELS = (1, 3)


class TensorSpec(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One input or output. A dimension of -1 may have any size.

    `nullable` says that the model fills what is missing from rows of this input: NaN, or "" among strings.
    """

    name: str
    datatype: Datatype
    shape: tuple[int, ...]
    nullable: bool = False


class ImageSpec(msgspec.Struct, frozen=True, kw_only=True):
    """An input that takes pictures: raw pixels, (N, height, width, channels), 0 to 255. -1 means any size."""

    input: str
    height: int
    width: int
    channels: int


class Signature(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Inputs, outputs, and for a classifier the names of the classes.

    `labels` name the last axis of the first output, which then holds probabilities.
    """

    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    labels: tuple[str, ...] | None = None

    @property
    def image(self) -> ImageSpec | None:
        """How a picture becomes the input; None if the model does not take raw pixels.

        A model takes pictures if its only input is UINT8 with shape (N, height, width, 1 or 3).
        """
        if len(self.inputs) != 1:
            return None
        (spec,) = self.inputs
        if spec.datatype != "UINT8" or len(spec.shape) != _IMAGE_RANK or spec.shape[3] not in _IMAGE_CHANNELS:
            return None
        _, height, width, channels = spec.shape
        return ImageSpec(input=spec.name, height=height, width=width, channels=channels)
