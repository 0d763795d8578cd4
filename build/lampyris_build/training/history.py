"""What a training leaves behind, apart from the weights."""

import math

import msgspec


class Epoch(msgspec.Struct, frozen=True, kw_only=True):
    """How things stood when an epoch had ended: `step` and `seconds` count from the training's beginning."""

    epoch: int
    step: int
    loss: float
    validation_loss: float
    learning_rate: float
    seconds: float


class History(msgspec.Struct, frozen=True, kw_only=True):
    """A row for each epoch. `resumed_steps` were done before, in runs that were interrupted."""

    rows: tuple[Epoch, ...]
    stopped_early: bool = False
    resumed_steps: int = 0

    @property
    def best_epoch(self) -> int:
        """The epoch after which the validation loss was least: the earliest of equals."""
        return best(self.rows).epoch

    def __str__(self) -> str:
        last = self.rows[-1]
        told = f"{last.epoch} epochs"
        if self.resumed_steps:
            told += f" ({self.resumed_steps:,} of {last.step:,} steps from the checkpoint)"
        if self.stopped_early:
            told += f", stopped early: the weights of epoch {self.best_epoch} are kept"
            last = best(self.rows)
        return f"{told}, loss {last.loss:.3g}, validation {last.validation_loss:.3g}"


def best(rows: tuple[Epoch, ...]) -> Epoch:
    return min(rows, key=lambda row: row.validation_loss)


def epochs_without_progress(rows: tuple[Epoch, ...]) -> float:
    """Count the epochs since the best one; infinitely few before the first."""
    return len(rows) - best(rows).epoch if rows else -math.inf
