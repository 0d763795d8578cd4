"""Any optimizer of torch, by its name."""

from collections.abc import Iterable
from typing import Any, Final

from torch import nn, optim

from lampyris_build.errors import InvalidRecipe
from lampyris_build.recipe.training import Training
from lampyris_build.training.by_name import check_options, find, options_of

# SparseAdam takes sparse gradients only, and nothing here has any.
_KINDS: Final[dict[str, type[optim.Optimizer]]] = {
    name: kind
    for name, kind in sorted(vars(optim).items())
    if isinstance(kind, type)
    and issubclass(kind, optim.Optimizer)
    and kind not in {optim.Optimizer, optim.SparseAdam}
}
_OURS: Final = ("params", "lr", "weight_decay")  # they have keys of their own in the recipe
_NOT_FUSED: Final = {"foreach", "differentiable", "maximize"}
_MOMENTUM: Final = {"momentum": 0.9, "nesterov": True}


def optimizer_for(settings: Training, parameters: Iterable[nn.Parameter]) -> optim.Optimizer:
    """Make the optimizer that the recipe names, with its options; the fused kernel where it has one.

    None is fused for FSDP: the kernels of SGD and Adagrad do not know its shards.
    SGD has Nesterov's momentum of 0.9 unless the recipe says anything else about it.

    Raises: InvalidRecipe.
    """
    kind = find("training.optimizer", settings.optimizer, _KINDS)
    accepted = options_of(kind)
    check_options(
        "training.optimizer_options",
        settings.optimizer_options,
        settings.optimizer,
        options_of(kind, but=_OURS),
    )
    options: dict[str, Any] = {"lr": settings.learning_rate, "weight_decay": settings.weight_decay}
    if kind is optim.SGD and not {"momentum", "nesterov", "dampening"} & settings.optimizer_options.keys():
        options |= _MOMENTUM
    if settings.parallel == "ddp" and not _NOT_FUSED & settings.optimizer_options.keys():
        options["fused"] = True
    options = {
        name: value for name, value in options.items() if name in accepted
    } | settings.optimizer_options
    try:
        return kind(parameters, **options)
    except (TypeError, ValueError) as error:
        raise InvalidRecipe(
            reason=f"training.optimizer {settings.optimizer} cannot be made: {error}"
        ) from error
