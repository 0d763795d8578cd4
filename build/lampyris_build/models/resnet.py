"""A residual network for small pictures.

Shape suffixes: B batch, C channels, H height, W width, F filters, N numbers of a patch, P patches, K outputs.
"""

from typing import Final

import torch
from torch import nn
from torch.nn.functional import relu

from lampyris_build.errors import InvalidRecipe
from lampyris_build.recipe.models import ResnetModel

_PATCH: Final = 2  # pixels of a side
_LEAST_VARIANCE: Final = 5e-4  # of a patch's numbers: what varies less is not stretched further
_OUTPUT_SCALE: Final = 0.125


class Resnet(nn.Module):
    """Whitened patches, then stages that each widen and halve the picture: (B, C, H, W) to (B, K).

    At the end the largest value of each channel is left. Logits are an eighth of what the last layer gives,
    so that they do not run ahead of the features.

    Source: He et al. 2016 (deep residual learning), with what lets Jordan 2024 (94 % on CIFAR-10 in 3.29
    seconds on a single GPU) and Page 2018 (how to train your ResNet) need few passes over the data.

    Raises: InvalidRecipe if a picture has no patch.
    """

    def __init__(self, model: ResnetModel, shape: tuple[int, ...], outputs: int) -> None:
        super().__init__()
        side = min(shape[1:]) - _PATCH + 1
        if side < 1:
            raise InvalidRecipe(
                reason=f"model.architecture resnet takes pictures of {_PATCH} x {_PATCH} pixels at least, "
                f"and the dataset's have {shape[1]} x {shape[2]}; use mlp."
            )
        self.whitening = Whitening(shape[0])
        stages, before = [], self.whitening.filters
        for after in model.channels:
            stages.append(Stage(before, after, may_halve=side > 1))
            before, side = after, max(side // 2, 1)
        self.layers = nn.Sequential(
            *stages, nn.AdaptiveMaxPool2d(1), nn.Flatten(), nn.Linear(before, outputs)
        )

    def start_from(self, pictures_BCHW: torch.Tensor) -> None:
        """Take from preprocessed pictures what whitens them."""
        self.whitening.fit(pictures_BCHW)

    def forward(self, pictures_BCHW: torch.Tensor) -> torch.Tensor:
        outputs_BK: torch.Tensor = self.layers(self.whitening(pictures_BCHW)) * _OUTPUT_SCALE
        return outputs_BK


class Whitening(nn.Module):
    """Patches as numbers that are not correlated and vary alike, and their negatives, where above 0.

    (B, C, H, W) to (B, F, H - 1, W - 1). The filters are found once, and not trained; their biases are.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.filters = 2 * channels * _PATCH**2
        self.convolution = nn.Conv2d(channels, self.filters, _PATCH)
        self.convolution.weight.requires_grad = False
        nn.init.zeros_(self.convolution.bias)  # type: ignore[arg-type]  # it has one

    def fit(self, pictures_BCHW: torch.Tensor) -> None:
        """Find the filters: eigenvectors of the patches' covariance, the numbers having mean 0."""
        weight = self.convolution.weight
        covariance_NN = torch.zeros(weight[0].numel(), weight[0].numel(), dtype=torch.float64)
        count = 0
        for picture_CHW in pictures_BCHW.double():
            patches_NP = nn.functional.unfold(picture_CHW[None], _PATCH)[0]
            covariance_NN += patches_NP @ patches_NP.T
            count += patches_NP.shape[1]
        variance_N, vectors_NN = torch.linalg.eigh(covariance_NN / count)
        filters_NN = (vectors_NN * (variance_N + _LEAST_VARIANCE).rsqrt()).T
        # An eigenvector turned round is one, too. Both are here; which comes first is not left to chance.
        filters_NN[filters_NN.sum(dim=1) < 0] *= -1
        weight.copy_(torch.cat([filters_NN, -filters_NN]).view_as(weight))

    def forward(self, pictures_BCHW: torch.Tensor) -> torch.Tensor:
        return relu(self.convolution(pictures_BCHW))


class Stage(nn.Module):
    """A convolution whose largest values in squares of 2 x 2 are left, then a residual one."""

    def __init__(self, before: int, after: int, *, may_halve: bool) -> None:
        super().__init__()
        self.convolution = _convolution(before, after)
        with torch.no_grad():  # at first it passes on what it is given, and adds to it
            nn.init.dirac_(self.convolution.weight[:before])
        self.pooling = nn.MaxPool2d(2, ceil_mode=not may_halve)
        self.norm = _norm(after)
        self.residual = Residual(after)

    def forward(self, x_BCHW: torch.Tensor) -> torch.Tensor:
        x_BCHW = self.convolution(x_BCHW)
        # Both say the same, since normalisation turns no order round: training normalises a quarter of the
        # values, and in a graph normalisation folds into the convolution before it.
        if self.training:
            x_BCHW = relu(self.norm(self.pooling(x_BCHW)))
        else:
            x_BCHW = self.pooling(relu(self.norm(x_BCHW)))
        y_BCHW: torch.Tensor = self.residual(x_BCHW)
        return y_BCHW


class Residual(nn.Module):
    """A convolution that learns what to add to its input, which goes past it."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.convolution = _convolution(channels, channels)
        self.norm = _norm(channels)

    def forward(self, x_BCHW: torch.Tensor) -> torch.Tensor:
        y_BCHW: torch.Tensor = x_BCHW + relu(self.norm(self.convolution(x_BCHW)))
        return y_BCHW


def _convolution(before: int, after: int) -> nn.Conv2d:
    return nn.Conv2d(before, after, 3, padding=1, bias=False)


def _norm(channels: int) -> nn.BatchNorm2d:
    """Shift each channel, but do not scale it: so no order is turned round."""
    norm = nn.BatchNorm2d(channels)
    norm.weight.requires_grad = False
    return norm
