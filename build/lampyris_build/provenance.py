"""Where a model comes from: enough to build it again, and to tell whether it was."""

import platform
import shutil
import subprocess
from importlib.metadata import version
from typing import Any, Final

import torch

from lampyris_build.data.dataset import Dataset
from lampyris_build.recipe import Recipe

_LIBRARIES: Final = (
    "lampyris",
    "numpy",
    "onnx",
    "onnxruntime",
    "onnxscript",
    "pillow",
    "pyarrow",
    "scikit-learn",
    "skl2onnx",
    "torch",
)


def provenance_of(recipe: Recipe, dataset: Dataset) -> dict[str, Any]:
    """Name what the build read, and what it ran on: `threads` decides the last bits of sums."""
    return {
        "recipe": recipe.digest,
        "dataset": {
            "name": dataset.name,
            "digest": dataset.digest,
            "train": len(dataset.train),
            "validation": len(dataset.validation),
            "test": len(dataset.test),
        },
        "seed": recipe.seed,
        "libraries": {name: version(name) for name in _LIBRARIES},
        "python": platform.python_version(),
        "machine": platform.machine(),
        "threads": torch.get_num_threads(),
        "git_commit": git_commit(),
    }


def git_commit() -> str | None:
    """Return the working folder's commit, with "-dirty" if files differ; None outside a repository."""
    git = shutil.which("git")
    if git is None:
        return None
    answer = subprocess.run(  # noqa: S603 - a fixed command, without a shell
        [git, "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"],
        capture_output=True,
        text=True,
        check=False,
    )
    return answer.stdout.strip() or None
