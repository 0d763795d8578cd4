"""How the learning rate moves while a network is trained: schedules of our own, and torch's, by name.

Ours turn the share of all steps that is done (0 to 1) into a share of the recipe's learning rate.
"""

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final

from torch import optim
from torch.optim import lr_scheduler

from lampyris_build.errors import InvalidRecipe
from lampyris_build.recipe.training import Training
from lampyris_build.training.by_name import check_options, find, options_of


def constant(progress: float, *, warm_up: float = 0.0) -> float:
    return _rising(progress, warm_up)


def linear(progress: float, *, warm_up: float = 0.0, end: float = 0.0) -> float:
    """Fall in a straight line to `end`."""
    return _rising(progress, warm_up) * (1 + (end - 1) * _after(progress, warm_up))


def cosine(progress: float, *, warm_up: float = 0.0, end: float = 0.0) -> float:
    """Fall along half a cosine to `end`.

    Source: Loshchilov and Hutter 2017 (SGDR), section 3, without its restarts.
    """
    return _rising(progress, warm_up) * _cosine(1, end, _after(progress, warm_up))


def step(
    progress: float, *, at: Sequence[float] = (0.5, 0.75), factor: float = 0.1, warm_up: float = 0.0
) -> float:
    """Fall to `factor` of what it was at each share of the way in `at`.

    Source: He et al. 2016 (ResNet), section 4.2.
    """
    return _rising(progress, warm_up) * math.prod(factor for share in at if progress >= share)


def one_cycle(progress: float, *, rise: float = 0.3, start: float = 0.04, end: float = 0.0) -> float:
    """Rise from `start` to 1 for a share of `rise`, then fall to `end`. Source: Smith and Topin 2018."""
    if progress < rise:
        return _cosine(start, 1, progress / rise)
    return _cosine(1, end, (progress - rise) / (1 - rise)) if rise < 1 else 1.0


OURS: Final[dict[str, Callable[..., float]]] = {
    "constant": constant,
    "cosine": cosine,
    "linear": linear,
    "one-cycle": one_cycle,
    "step": step,
}
# These are made of functions or of other schedules, which a recipe cannot hold.
_OF_CODE: Final = {"LRScheduler", "LambdaLR", "MultiplicativeLR", "SequentialLR", "ChainedScheduler"}
_TORCHS: Final[dict[str, Callable[..., lr_scheduler.LRScheduler]]] = {
    name: getattr(lr_scheduler, name) for name in lr_scheduler.__all__ if name not in _OF_CODE
}


def schedule_for(settings: Training, optimizer: optim.Optimizer, steps: int) -> lr_scheduler.LRScheduler:
    """Make the schedule that the recipe names, for a training of so many steps.

    It moves after every step; torch's `ReduceLROnPlateau` after every epoch. What torch's schedules must
    know of the training (its length, its learning rate) is filled in unless the recipe says otherwise.

    Raises: InvalidRecipe.
    """
    name, options = settings.schedule, settings.schedule_options
    kinds: dict[str, Callable[..., Any]] = {**OURS, **_TORCHS}
    kind = find("training.schedule", name, kinds)
    accepted = options_of(kind, but=("progress", "optimizer", "last_epoch"))
    check_options("training.schedule_options", options, name, accepted)
    try:
        if name in OURS:
            share = partial(OURS[name], **options)
            return lr_scheduler.LambdaLR(optimizer, lambda done: share(min(done / steps, 1.0)))
        return _TORCHS[name](optimizer, **_known(accepted, settings, steps) | options)
    except (TypeError, ValueError, ArithmeticError, AttributeError) as error:
        raise InvalidRecipe(reason=f"training.schedule {name} cannot be made: {error}") from error


def _known(accepted: Sequence[str], settings: Training, steps: int) -> dict[str, Any]:
    known = {
        "total_steps": steps,
        "total_iters": steps,
        "T_max": steps,
        "max_lr": settings.learning_rate,
        "base_lr": settings.learning_rate / 25,
    }
    return {name: value for name, value in known.items() if name in accepted}


def _rising(progress: float, warm_up: float) -> float:
    """Rise in a straight line from 0 to 1 for a share of `warm_up`.

    Source: Goyal et al. 2017 (large minibatches), section 2.2.
    """
    return progress / warm_up if progress < warm_up else 1.0


def _after(progress: float, warm_up: float) -> float:
    return max(0.0, (progress - warm_up) / (1 - warm_up)) if warm_up < 1 else 0.0


def _cosine(start: float, end: float, progress: float) -> float:
    return end + (start - end) * (1 + math.cos(math.pi * progress)) / 2
