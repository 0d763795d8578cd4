"""Every error that a build can end with. A build that ends with one leaves no bundle.

BuildError
├── InvalidRecipe                      the recipe must change
├── DatasetMissing, DatasetBroken      the data must change
├── OutputOccupied                     the bundle would overwrite something else
├── TrainingDiverged                   the loss is no number any more
└── ParityFailed, AccuracyFloor, AccuracyDrop    the model does not hold what the recipe demands
"""

from dataclasses import dataclass
from pathlib import Path

from lampyris.errors import LampyrisError


class BuildError(LampyrisError):
    """The build stopped on purpose."""

    code = "build-failed"


@dataclass(eq=False, kw_only=True)
class InvalidRecipe(BuildError):
    code = "invalid-recipe"
    recipe: str
    reason: str

    def __str__(self) -> str:
        return f"Recipe {self.recipe}: {self.reason}"


@dataclass(eq=False, kw_only=True)
class DatasetMissing(BuildError):
    """Nothing stands where the dataset should be; `wanted` says what was looked for."""

    code = "dataset-missing"
    path: Path
    wanted: str

    def __str__(self) -> str:
        return f"There is no dataset at {self.path}: {self.wanted}"


@dataclass(eq=False, kw_only=True)
class DatasetBroken(BuildError):
    code = "dataset-broken"
    path: Path | str
    reason: str

    def __str__(self) -> str:
        return f"The dataset {self.path} cannot be used: {self.reason}"


@dataclass(eq=False, kw_only=True)
class OutputOccupied(BuildError):
    code = "output-occupied"
    path: Path

    def __str__(self) -> str:
        return f"{self.path} exists and is no bundle; name a folder that is empty, new, or an earlier bundle."


@dataclass(eq=False, kw_only=True)
class TrainingDiverged(BuildError):
    code = "training-diverged"
    loss: float
    epoch: int
    step: int
    learning_rate: float

    def __str__(self) -> str:
        return (
            f"The loss became {self.loss} at step {self.step} of epoch {self.epoch}; "
            f"lower training.learning_rate, which is {self.learning_rate:g}."
        )


@dataclass(eq=False, kw_only=True)
class ParityFailed(BuildError):
    """The exported graph does not compute what torch computes."""

    code = "parity-failed"
    difference: float
    tolerance: float

    def __str__(self) -> str:
        return (
            f"torch and onnxruntime differ by {self.difference:.2g} on the test set; "
            f"export.tolerance allows {self.tolerance:.2g}."
        )


@dataclass(eq=False, kw_only=True)
class AccuracyFloor(BuildError):
    code = "accuracy-floor"
    accuracy: float
    floor: float

    def __str__(self) -> str:
        return (
            f"The model is right on {self.accuracy:.2%} of the test set; "
            f"export.min_accuracy demands {self.floor:.2%}. Train longer, or with a larger model."
        )


@dataclass(eq=False, kw_only=True)
class AccuracyDrop(BuildError):
    code = "accuracy-drop"
    fp32: float
    int8: float
    limit: float

    def __str__(self) -> str:
        return (
            f"Compression takes the accuracy from {self.fp32:.2%} to {self.int8:.2%}; "
            f"compression.max_accuracy_drop allows {self.limit:.2%}. Raise compression.calibration_samples, "
            'or set compression.precision = "fp32".'
        )
