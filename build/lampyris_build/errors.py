"""Every error that a build can end with. A build that ends with one leaves no bundle.

BuildError
├── InvalidRecipe                      the recipe must change
├── DatasetMissing, DatasetBroken      the data must change
├── OutputOccupied                     the bundle would overwrite something else
├── TrainingDiverged                   the loss is no number any more
├── ConversionFailed                   the model cannot become ONNX
├── ExtraMissing                       something optional is not installed
├── WorkerLost                         a process that trained along is gone
├── WriteFailed                        a full disk, or one that cannot be written
├── NothingToPick                      no model that was tried could be made
└── ParityFailed, ScoreFloor           the model does not hold what the recipe demands
"""

from dataclasses import dataclass
from pathlib import Path

from lampyris.errors import LampyrisError


def in_a_line(error: Exception) -> str:
    """Tell an error of someone else's code."""
    lines = str(error).strip().split("\n")
    return f"{type(error).__name__}: {lines[0]}".removesuffix(": ")


class BuildError(LampyrisError):
    """The build stopped on purpose."""

    code = "build-failed"


@dataclass(eq=False, kw_only=True)
class InvalidRecipe(BuildError):
    """`recipe` is its file or its name, where that is known."""

    code = "invalid-recipe"
    reason: str
    recipe: str | None = None

    def __str__(self) -> str:
        return f"{'The recipe' if self.recipe is None else f'Recipe {self.recipe}'}: {self.reason}"


@dataclass(eq=False, kw_only=True)
class DatasetMissing(BuildError):
    """Nothing stands where the dataset should be; `wanted` says what was looked for.

    `may_pass` says that it could not be reached, and may be there the next time.
    """

    code = "dataset-missing"
    path: Path | str
    wanted: str
    may_pass: bool = False

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
class ExtraMissing(BuildError):
    """`wanted` is what asks for it; `extra` is the name of what installs it."""

    code = "extra-missing"
    wanted: str
    extra: str

    def __str__(self) -> str:
        return f"{self.wanted} needs packages that are not installed: pip install 'lampyris[{self.extra}]'"


@dataclass(eq=False, kw_only=True)
class WorkerLost(BuildError):
    code = "worker-lost"
    reason: str

    def __str__(self) -> str:
        return (
            f"The processes that trained together are not all there any more: {self.reason}. "
            "The same command goes on from the last checkpoint."
        )


@dataclass(eq=False, kw_only=True)
class WriteFailed(BuildError):
    """A file could not be written; what stood in its place before is intact."""

    code = "write-failed"
    path: Path
    reason: str

    def __str__(self) -> str:
        return (
            f"{self.path} could not be written: {self.reason}. Once it can be, the same command goes on "
            "from the last checkpoint."
        )


@dataclass(eq=False, kw_only=True)
class ConversionFailed(BuildError):
    """A model of another framework cannot become ONNX, or cannot be read."""

    code = "conversion-failed"
    model: str
    reason: str

    def __str__(self) -> str:
        return f"{self.model} cannot be converted to ONNX: {self.reason}"


@dataclass(eq=False, kw_only=True)
class ParityFailed(BuildError):
    """The exported graph does not compute what torch computes."""

    code = "parity-failed"
    output: str
    difference: float
    tolerance: float

    def __str__(self) -> str:
        return (
            f"The exported model's {self.output!r} differs by {self.difference:.2g} from what the model "
            f"answered before; export.tolerance allows {self.tolerance:.2g}."
        )


@dataclass(eq=False, kw_only=True)
class ScoreFloor(BuildError):
    code = "score-floor"
    score: float
    floor: float

    def __str__(self) -> str:
        return (
            f"The model that would ship scores {self.score:.2%} on the test set; export.min_score demands "
            f"{self.floor:.2%}. Train longer, or a larger model, or compress it less."
        )


@dataclass(eq=False, kw_only=True)
class NothingToPick(BuildError):
    """All trials of a search failed; `first` is why the first one did."""

    code = "nothing-to-pick"
    trials: int
    first: str

    def __str__(self) -> str:
        return f"No trial of {self.trials} left a model. The first one failed: {self.first}"
