"""What an interrupted training needs to go on as if nothing had happened."""

import hashlib
import os
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import msgspec
import torch
from torch import nn, optim

from lampyris_build.data.dataset import Dataset
from lampyris_build.recipe import Recipe


def training_digest(recipe: Recipe, dataset: Dataset) -> str:
    """Name everything that decides the weights: with equal digests, a training ends in equal weights."""
    decisive = (
        recipe.seed,
        recipe.model,
        recipe.training,
        recipe.dataset.test_fraction,
        recipe.dataset.validation_fraction,
        dataset.digest,
        str(torch.__version__),
    )
    return hashlib.sha256(msgspec.json.encode(decisive)).hexdigest()


class Checkpoint:
    """A file that holds a training at the end of an epoch."""

    def __init__(self, path: Path, digest: str) -> None:
        self.path = path
        self._digest = digest

    def save(self, epochs: int, model: nn.Module, optimizer: optim.Optimizer) -> None:
        """Keep the state after `epochs` epochs, in place of the state before."""
        state = {
            "digest": self._digest,
            "epochs": epochs,
            "model": model.state_dict(),
            "optimizer": optimizer.state_dict(),
            "rng": torch.get_rng_state(),
        }
        buffer = BytesIO()
        torch.save(state, buffer)
        _write_atomically(self.path, buffer.getvalue())

    def restore(self, model: nn.Module, optimizer: optim.Optimizer) -> int:
        """Bring back what was saved; return the number of epochs that are done.

        That is 0, and nothing is touched, if there is no checkpoint, or one of another training.
        """
        state = self._read()
        if state.get("digest") != self._digest:
            return 0
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        torch.set_rng_state(state["rng"])
        return int(state["epochs"])

    def remove(self) -> None:
        self.path.unlink(missing_ok=True)

    def _read(self) -> Mapping[str, Any]:
        try:
            state = torch.load(self.path, weights_only=True)
        # A file that cannot be read back is no checkpoint: the training starts anew.
        except (OSError, EOFError, RuntimeError, UnpicklingError):
            return {}
        return state if isinstance(state, dict) else {}


def _write_atomically(path: Path, data: bytes) -> None:
    """Put `data` at `path` in one step: a kill at any moment leaves what stood there before, or this."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.name}.partial")
    with partial.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)
