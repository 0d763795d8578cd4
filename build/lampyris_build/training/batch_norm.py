"""Batch normalisation over a batch that several processes share; torch's own does this on GPUs only.

Shape suffixes: B batch, C channels.
"""

from typing import Any, TypeVar

import torch
from torch import distributed, nn

M = TypeVar("M", bound=nn.Module)


def share_batch_norm(module: M) -> M:
    """Let every batch normalisation in the module see the samples of all processes; return the module."""
    for one in module.modules():
        if type(one) in {nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d}:
            one.__class__ = SharedBatchNorm  # weights, statistics and their names stay
    return module


class SharedBatchNorm(nn.BatchNorm2d):
    """Normalises by mean and variance of the whole batch, (B, C, ...) in as many dimensions as there are.

    Source: Ioffe and Szegedy 2015; the sums over processes as in torch.nn.SyncBatchNorm.
    """

    def forward(self, input: torch.Tensor) -> torch.Tensor:  # noqa: A002 - as torch names it
        if not self.training and self.running_mean is not None:
            return nn.functional.batch_norm(
                input, self.running_mean, self.running_var, self.weight, self.bias, eps=self.eps
            )
        over = [axis for axis in range(input.dim()) if axis != 1]
        spread = [1, -1, *[1] * (input.dim() - 2)]
        x = input.float()
        here = torch.tensor([input.numel() / input.shape[1]])
        sums = _sum(torch.cat([x.sum(over), here]))
        mean_C, count = sums[:-1] / sums[-1], sums[-1]
        centred = x - mean_C.view(spread)
        variance_C = _sum(centred.square().sum(over)) / count
        self._remember(mean_C, variance_C * count / (count - 1))
        normal = centred * torch.rsqrt(variance_C + self.eps).view(spread)
        if self.affine:
            normal = normal * self.weight.view(spread) + self.bias.view(spread)
        scaled: torch.Tensor = normal.to(input.dtype)
        return scaled

    @torch.no_grad()
    def _remember(self, mean_C: torch.Tensor, variance_C: torch.Tensor) -> None:
        if self.running_mean is None or self.running_var is None or self.num_batches_tracked is None:
            return
        self.num_batches_tracked += 1
        share = 1 / self.num_batches_tracked.item() if self.momentum is None else self.momentum
        self.running_mean.lerp_(mean_C, share)
        self.running_var.lerp_(variance_C, share)


class _Sum(torch.autograd.Function):
    """The sum over all processes. Each one's part changes the losses of all, so gradients are summed, too."""

    @staticmethod
    def forward(_context: Any, part: torch.Tensor) -> torch.Tensor:
        whole = part.clone()
        distributed.all_reduce(whole)
        return whole

    @staticmethod
    def backward(_context: Any, gradient: torch.Tensor) -> torch.Tensor:
        whole = gradient.clone()
        distributed.all_reduce(whole)
        return whole


def _sum(part: torch.Tensor) -> torch.Tensor:
    whole: torch.Tensor = _Sum.apply(part)  # type: ignore[no-untyped-call]  # torch leaves it untyped
    return whole
