"""A network of the user's own: any nn.Module that an import path names."""

import torch
from torch import nn

from lampyris_build.errors import InvalidRecipe, in_a_line
from lampyris_build.imports.import_path import make_object
from lampyris_build.recipe.models import TorchModel

_SAMPLES = 2


def torch_module(model: TorchModel, shape: tuple[int, ...], outputs: int, vocabulary: int) -> nn.Module:
    """Make the module, with the weights that it starts with, and try it with a batch of zeros.

    It is to take preprocessed samples (B, *shape), which are ids if there is a `vocabulary`, and give raw
    outputs (B, outputs), or one for every id, (B, *shape, outputs).

    Raises: InvalidRecipe if it is no module, or takes or gives something else.
    """
    module = make_object(model.module, model.arguments, "model.module")
    if not isinstance(module, nn.Module):
        raise InvalidRecipe(
            reason=f"model.module {model.module} gives {type(module).__name__}; it must give an nn.Module."
        )
    _try(module, model, shape, outputs, vocabulary)
    return module


def _try(module: nn.Module, model: TorchModel, shape: tuple[int, ...], outputs: int, vocabulary: int) -> None:
    batch = torch.zeros(_SAMPLES, *shape, dtype=torch.int64 if vocabulary else torch.float32)
    taken = f"a batch of {_SAMPLES} preprocessed samples, {tuple(batch.shape)} {batch.dtype},".replace(
        "torch.", ""
    )
    module.eval()  # a batch of zeros must not teach anything
    try:
        with torch.no_grad():
            given = module(batch)
    except Exception as error:
        raise InvalidRecipe(
            reason=f"model.module {model.module} cannot take {taken} as {in_a_line(error)}"
        ) from error
    finally:
        module.train()
    wanted: list[tuple[int, ...]] = [(_SAMPLES, outputs)]
    if vocabulary:
        wanted.append((_SAMPLES, *shape, outputs))
    if not isinstance(given, torch.Tensor) or tuple(given.shape) not in wanted:
        came = tuple(given.shape) if isinstance(given, torch.Tensor) else type(given).__name__
        raise InvalidRecipe(
            reason=f"model.module {model.module} makes {came} of {taken} where it must give "
            f"{' or '.join(map(str, wanted))}: raw outputs, {outputs} for each sample."
        )
