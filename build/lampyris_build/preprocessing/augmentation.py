"""Pictures that change from epoch to epoch, so that a network learns what does not matter.

They are preprocessed by then: 0 is a channel's mean, so it is what a hole or a margin is filled with. What is
drawn comes from torch's own generator, whose state checkpoints hold.

Shape suffixes: B batch, C channels, H height, W width.
"""

import math

import torch
from torch import nn

from lampyris_build.errors import InvalidRecipe
from lampyris_build.recipe import sources


class Augmentation(nn.Module):
    """Preprocessed pictures (B, C, H, W) to as many, each changed in its own way.

    Raises: InvalidRecipe if it is to change what are no pictures, or to leave nothing of them.
    """

    def __init__(self, settings: sources.Augmentation) -> None:
        super().__init__()
        self.settings = settings

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        settings = self.settings
        if settings == sources.Augmentation():
            return x
        _check(settings, x.shape)
        if settings.flip:
            x = flipped(x)
        if settings.rotate:
            x = rotated(x, settings.rotate)
        if settings.shift:
            x = shifted(x, settings.shift)
        if settings.cutout:
            x = cut_out(x, settings.cutout)
        return x


def _check(settings: sources.Augmentation, shape: torch.Size) -> None:
    if len(shape) != 4:  # noqa: PLR2004 - (B, C, H, W)
        raise InvalidRecipe(reason="[augmentation] changes pictures, and the dataset has none; leave it out.")
    side = min(shape[2:])
    for name, pixels in (("shift", settings.shift), ("cutout", settings.cutout)):
        if pixels >= side:
            raise InvalidRecipe(
                reason=f"augmentation.{name} is {pixels} pixels, of pictures whose shorter side has {side}; "
                "it must leave something of them."
            )


def flipped(images_BCHW: torch.Tensor) -> torch.Tensor:
    """Turn half of the pictures left to right."""
    is_flipped_B111 = torch.rand(len(images_BCHW), 1, 1, 1) < 0.5  # noqa: PLR2004 - half
    return torch.where(is_flipped_B111, images_BCHW.flip(3), images_BCHW)


def rotated(images_BCHW: torch.Tensor, degrees: float) -> torch.Tensor:
    """Turn each picture about its centre, by at most so many degrees to either side."""
    height, width = images_BCHW.shape[2:]
    angle_B = (torch.rand(len(images_BCHW)) * 2 - 1) * math.radians(degrees)
    cos_B, sin_B, zero_B = angle_B.cos(), angle_B.sin(), torch.zeros(len(images_BCHW))
    # Coordinates go from -1 to 1 along both sides; pixels are square whatever the picture is.
    turn_B23 = torch.stack(
        [cos_B, -sin_B * height / width, zero_B, sin_B * width / height, cos_B, zero_B], dim=1
    ).reshape(-1, 2, 3)
    grid_BHW2 = nn.functional.affine_grid(turn_B23, list(images_BCHW.shape), align_corners=False)
    turned_BCHW = nn.functional.grid_sample(images_BCHW, grid_BHW2, align_corners=False)
    # As pictures come: with the channels apart a training step of a small network takes longer.
    return turned_BCHW.contiguous(memory_format=torch.channels_last)


def shifted(images_BCHW: torch.Tensor, most: int) -> torch.Tensor:
    """Move each picture by at most so many pixels along both axes; what moves in is 0.

    Source: He et al. 2016, section 4.2 (a random crop of the padded picture).
    """
    batch, _, height, width = images_BCHW.shape
    padded = nn.functional.pad(images_BCHW, (most, most, most, most))
    crops = padded.unfold(2, height, 1).unfold(3, width, 1)  # a view of all of them: (B, C, top, left, H, W)
    top_B, left_B = torch.randint(0, 2 * most + 1, (2, batch))
    return crops[torch.arange(batch), :, top_B, left_B]


def cut_out(images_BCHW: torch.Tensor, side: int) -> torch.Tensor:
    """Put a square of 0 on each picture, anywhere; near an edge a part of it is outside.

    Source: DeVries and Taylor 2017 (cutout).
    """
    batch, _, height, width = images_BCHW.shape
    top_B = torch.randint(0, height, (batch,)) - side // 2
    left_B = torch.randint(0, width, (batch,)) - side // 2
    row_BH = torch.arange(height) - top_B[:, None]
    column_BW = torch.arange(width) - left_B[:, None]
    is_in_BH = (row_BH >= 0) & (row_BH < side)
    is_in_BW = (column_BW >= 0) & (column_BW < side)
    is_hole_B1HW = (is_in_BH[:, :, None] & is_in_BW[:, None, :])[:, None]
    return images_BCHW * ~is_hole_B1HW
