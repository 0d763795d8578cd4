"""What an interrupted training needs to go on as if nothing had happened.

One file: safetensors, with JSON within. No pickle: a checkpoint may come from a bucket.
"""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from time import monotonic
from typing import Any

import msgspec
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import nn

from lampyris_build.data.dataset import Dataset
from lampyris_build.recipe import Recipe
from lampyris_build.training.files import write_atomically

# Numbers, words, tensors, and dicts, lists and tuples of them: what `state_dict` gives.
State = Any

_DO_NOT_DECIDE = ("log", "parallel")  # keys of `[training]` that leave the weights as they are


def training_digest(recipe: Recipe, dataset: Dataset) -> str:
    """Name everything in the recipe and the data that decides the weights."""
    training = msgspec.to_builtins(recipe.training)
    decisive = (
        recipe.seed,
        recipe.task,
        recipe.model,
        {key: value for key, value in (training or {}).items() if key not in _DO_NOT_DECIDE},
        recipe.augmentation,
        recipe.split,
        recipe.window,
        dataset.digest,
        str(torch.__version__),
    )
    return hashlib.sha256(msgspec.json.encode(decisive)).hexdigest()


def starting_from(digest: str, learner: nn.Module) -> str:
    """Name a training by the weights it starts from, besides all else that `digest` stands for.

    They tell whether a module of the user's own has changed, and one training after a step from another.
    """
    whole = hashlib.sha256(digest.encode())
    for name, tensor in learner.state_dict().items():
        whole.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        whole.update(tensor.detach().contiguous().flatten().view(torch.uint8).numpy().data)
    return whole.hexdigest()


class Checkpoint:
    """A file that holds a training at the end of a step; `due` says that it is `every_s` seconds old."""

    def __init__(self, path: Path, digest: str, *, every_s: float = 30) -> None:
        self.path = path
        self._digest = digest
        self._every_s = every_s
        self._saved_s = monotonic()

    @property
    def due(self) -> bool:
        return monotonic() - self._saved_s >= self._every_s

    def save(self, state: State) -> None:
        """Keep the state in place of the one before. Raises: WriteFailed; the one before is intact then."""
        tensors: dict[str, torch.Tensor] = {}
        document = json.dumps(without_tensors(state, "", tensors))
        write_atomically(self.path, save(tensors, {"digest": self._digest, "state": document}))
        self._saved_s = monotonic()

    def load(self) -> State | None:
        """Return what was saved; None if nothing was, or another training's, or the file is damaged."""
        try:
            with safe_open(self.path, framework="pt") as file:
                metadata = file.metadata() or {}
                if metadata.get("digest") != self._digest:
                    return None
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - it is no dict
                return with_tensors(json.loads(metadata["state"]), tensors)
        except (OSError, SafetensorError, ValueError, KeyError):
            return None


def without_tensors(state: State, name: str, tensors: dict[str, torch.Tensor]) -> Any:
    """Put the tensors of a state aside; what is left is JSON that says where they were.

    Dicts become lists of pairs, since their keys may be numbers.
    """
    match state:
        case torch.Tensor():
            # Cloned, as safetensors refuses tensors that share memory: tied weights do.
            tensors[name] = state.detach().clone(memory_format=torch.contiguous_format)
            return {"tensor": name}
        case Mapping():
            return {
                "dict": [[key, without_tensors(one, f"{name}/{key}", tensors)] for key, one in state.items()]
            }
        case list() | tuple():
            kind = "tuple" if isinstance(state, tuple) else "list"
            return {kind: [without_tensors(one, f"{name}/{at}", tensors) for at, one in enumerate(state)]}
        case _:
            return state


def with_tensors(document: Any, tensors: Mapping[str, torch.Tensor]) -> State:
    match document:
        case {"tensor": name}:
            return tensors[name]
        case {"dict": pairs}:
            return {key: with_tensors(one, tensors) for key, one in pairs}
        case {"list": items}:
            return [with_tensors(one, tensors) for one in items]
        case {"tuple": items}:
            return tuple(with_tensors(one, tensors) for one in items)
        case _:
            return document
