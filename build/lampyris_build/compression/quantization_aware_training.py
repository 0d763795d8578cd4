"""Quantisation-aware training: train on with weights and activations rounded as static int8 will round them.

The gradient passes the rounding as if it were not there. Normalisation need not be folded into convolutions
before: it scales each channel, and the steps of a channel's weights with it.

Source: Jacob et al. 2018, section 3; Bengio et al. 2013 (the straight-through estimator).
"""

from typing import Final

import torch
from torch import nn

from lampyris_build.compression.context import Context
from lampyris_build.compression.fine_tuning import copy_of, fine_tune
from lampyris_build.recipe.compression import QuantizationAwareTraining
from lampyris_build.trained import TrainedNetwork

# What static int8 makes of them: weights have 7 bits with their sign, activations 8 without.
_WEIGHT_STEPS: Final = 64
_ACTIVATION_STEPS: Final = 255
_ROUNDED: Final = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d)


def train_rounded(
    trained: TrainedNetwork, step: QuantizationAwareTraining, context: Context
) -> TrainedNetwork:
    """Return a copy whose weights are among the values that static int8 has for them.

    Raises: TrainingDiverged.
    """
    rounded = copy_of(trained)
    layers = {
        name: module for name, module in rounded.learner.named_modules() if isinstance(module, _ROUNDED)
    }
    hooks = []
    for layer in layers.values():
        layer.rounded_input = _RoundedInput()
        hooks.append(layer.register_forward_pre_hook(_round_input))
    fine_tune(rounded, context, step.epochs, {f"{name}.weight": _RoundedWeights() for name in layers})
    for layer, hook in zip(layers.values(), hooks, strict=True):
        hook.remove()
        del layer.rounded_input
    return rounded


class _RoundedWeights(nn.Module):
    """Weights to the nearest of 129 values around 0 for each output channel, which is the first axis."""

    def forward(self, weights: torch.Tensor) -> torch.Tensor:
        with torch.no_grad():
            largest = weights.abs().amax(dim=tuple(range(1, weights.ndim)), keepdim=True)
            step = (largest / _WEIGHT_STEPS).clamp(min=torch.finfo(weights.dtype).tiny)
            error = (weights / step).round() * step - weights
        return weights + error


class _RoundedInput(nn.Module):
    """Activations to the nearest of 256 values over their range so far, with 0 among them."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("low", torch.zeros(()))
        self.register_buffer("high", torch.zeros(()))
        self.low: torch.Tensor
        self.high: torch.Tensor

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.training:
            self.low.copy_(torch.minimum(self.low, x.detach().amin()))
            self.high.copy_(torch.maximum(self.high, x.detach().amax()))
        step = ((self.high - self.low) / _ACTIVATION_STEPS).clamp(min=torch.finfo(x.dtype).tiny)
        zero = (-self.low / step).round().to(torch.int32)
        return torch.fake_quantize_per_tensor_affine(x, step, zero, 0, _ACTIVATION_STEPS)


def _round_input(layer: nn.Module, args: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, ...]:
    return (layer.get_submodule("rounded_input")(args[0]), *args[1:])
