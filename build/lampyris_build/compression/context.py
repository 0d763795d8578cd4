"""What every step of compression may look at, besides the model."""

from dataclasses import dataclass
from pathlib import Path

from lampyris_build.data.dataset import Dataset, Inputs
from lampyris_build.recipe import Recipe
from lampyris_build.stages import Stage
from lampyris_build.tasks.task import Task


@dataclass(frozen=True, kw_only=True)
class Context:
    """`calibration` holds rows of the training set as the served model takes them, by input.

    `training` is the folder where interrupted trainings find their checkpoints again, if there is to be one.
    """

    recipe: Recipe
    dataset: Dataset
    task: Task
    calibration: Inputs
    stage: Stage
    training: Path | None = None
