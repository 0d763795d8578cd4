"""Find the weights: mini-batches, a schedule, early stopping, and a checkpoint every few seconds."""

import math
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic
from typing import Final

import msgspec
import torch
from torch import nn
from torch.optim.lr_scheduler import ReduceLROnPlateau
from torch.utils import deterministic

from lampyris_build.data.dataset import Samples
from lampyris_build.errors import TrainingDiverged
from lampyris_build.recipe.training import Training
from lampyris_build.stages import Stage
from lampyris_build.training.batches import Batches, batch_of
from lampyris_build.training.checkpoint import Checkpoint, State
from lampyris_build.training.history import Epoch, History, best, epochs_without_progress
from lampyris_build.training.log import TrainingLog
from lampyris_build.training.optimizers import optimizer_for
from lampyris_build.training.schedules import schedule_for

_VALIDATION_BATCH: Final = 512


def train(
    learner: nn.Module,
    train: Samples,
    validation: Samples,
    settings: Training,
    *,
    seed: int,
    stage: Stage,
    checkpoint: Checkpoint | None = None,
    log: TrainingLog | None = None,
) -> History:
    """Train the learner in place; it takes encoded inputs and targets, and gives the loss.

    Goes on from the checkpoint if it holds the start of this very training; the weights end the same.

    Raises: TrainingDiverged, InvalidRecipe, WriteFailed.
    """
    with _deterministic():
        run = _Run(learner, train, validation, settings, seed)
        saved = None if checkpoint is None else checkpoint.load()
        if saved is not None:
            run.restore(saved)
        resumed_steps = run.step
        stage.expect(settings.epochs * len(run.batches), resumed_steps)
        while not run.ended:
            for loss in run.epoch():
                stage.advance(f"{run.told}, loss {loss:.3f}{run.validated}")
                if checkpoint is not None and checkpoint.due:
                    checkpoint.save(run.state())
            run.validate()
            if checkpoint is not None:
                checkpoint.save(run.state())
            if log is not None:
                log.record(run.rows)
        run.keep_best()
        return History(rows=run.rows, stopped_early=run.stopped_early, resumed_steps=resumed_steps)


class _Run:
    """A training, at the end of some step."""

    def __init__(
        self, learner: nn.Module, train: Samples, validation: Samples, settings: Training, seed: int
    ) -> None:
        self.learner = learner
        self.batches = Batches(train, settings.batch_size, seed)
        self.validation = validation
        self.settings = settings
        self.seed = seed
        self.optimizer = optimizer_for(settings, [one for one in learner.parameters() if one.requires_grad])
        self.schedule = schedule_for(settings, self.optimizer, settings.epochs * len(self.batches))
        self.step = 0
        self.loss_sum = 0.0  # over the steps of this epoch
        self.seconds = 0.0
        self.rows: tuple[Epoch, ...] = ()
        self.best: dict[str, torch.Tensor] | None = None

    @property
    def stopped_early(self) -> bool:
        patience = self.settings.patience
        return patience is not None and epochs_without_progress(self.rows) >= patience

    @property
    def ended(self) -> bool:
        return len(self.rows) == self.settings.epochs or self.stopped_early

    @property
    def told(self) -> str:
        return f"epoch {len(self.rows) + 1} of {self.settings.epochs}"

    @property
    def validated(self) -> str:
        return f", validation {self.rows[-1].validation_loss:.3f}" if self.rows else ""

    def epoch(self) -> Iterator[float]:
        """Go through what is left of an epoch; yield the loss before every step, after it."""
        self.learner.train()
        first = self.step - len(self.rows) * len(self.batches)
        for inputs, targets in self.batches.of_epoch(len(self.rows), first=first):
            started_s = monotonic()
            loss = self._step(inputs, targets)
            self.step += 1
            self.loss_sum += loss
            self.seconds += monotonic() - started_s
            yield loss

    def _step(self, inputs: tuple[torch.Tensor, ...], targets: torch.Tensor | None) -> float:
        def loss_and_gradients() -> float:
            self._draw_anew(self.step)
            self.optimizer.zero_grad()
            with torch.autocast("cpu", torch.bfloat16, enabled=self.settings.precision == "bf16"):
                loss: torch.Tensor = self.learner(inputs, targets)
            value = loss.item()
            if not math.isfinite(value):  # before it spoils the weights
                raise self._diverged(value)
            loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
            if self.settings.clip_norm is not None:
                nn.utils.clip_grad_norm_(self.learner.parameters(), self.settings.clip_norm)
            return value

        # Handed over, since LBFGS calls it several times in a step.
        loss = self.optimizer.step(loss_and_gradients)
        if not isinstance(self.schedule, ReduceLROnPlateau):
            self.schedule.step()
        return loss

    def validate(self) -> None:
        """End an epoch: measure the loss on the validation set, and add a row."""
        started_s = monotonic()
        self.learner.eval()
        self._draw_anew(self.step)
        total = 0.0
        with torch.inference_mode():
            for start in range(0, len(self.validation), _VALIDATION_BATCH):
                inputs, targets = batch_of(self.validation, slice(start, start + _VALIDATION_BATCH))
                total += self.learner(inputs, targets).item() * len(inputs[0])
        loss = total / len(self.validation)
        if not math.isfinite(loss):
            raise self._diverged(loss)
        if isinstance(self.schedule, ReduceLROnPlateau):
            self.schedule.step(loss)
        self.seconds += monotonic() - started_s
        row = Epoch(
            epoch=len(self.rows) + 1,
            step=self.step,
            loss=self.loss_sum / len(self.batches),
            validation_loss=loss,
            learning_rate=self.optimizer.param_groups[0]["lr"],
            seconds=self.seconds,
        )
        self.rows += (row,)
        self.loss_sum = 0.0
        if self.settings.patience is not None and best(self.rows) is row:
            self.best = {name: tensor.clone() for name, tensor in self.learner.state_dict().items()}

    def keep_best(self) -> None:
        """Leave the learner ready for use; with early stopping, as it was after its best epoch."""
        if self.best is not None:
            self.learner.load_state_dict(self.best)
        self.learner.eval()

    def state(self) -> State:
        return {
            "learner": self.learner.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "schedule": self.schedule.state_dict(),
            "step": self.step,
            "loss_sum": self.loss_sum,
            "seconds": self.seconds,
            "rows": [msgspec.structs.asdict(row) for row in self.rows],
            "best": self.best,
        }

    def restore(self, state: State) -> None:
        self.learner.load_state_dict(state["learner"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.schedule.load_state_dict(state["schedule"])
        self.step = state["step"]
        self.loss_sum = state["loss_sum"]
        self.seconds = state["seconds"]
        self.rows = tuple(Epoch(**row) for row in state["rows"])
        self.best = state["best"]

    def _draw_anew(self, step: int) -> None:
        """Let what is random in a step follow from its number: no generator's state must be brought back."""
        torch.default_generator.manual_seed(zlib.crc32(f"{self.seed} {step}".encode()))

    def _diverged(self, loss: float) -> TrainingDiverged:
        return TrainingDiverged(
            loss=loss,
            epoch=len(self.rows) + 1,
            step=self.step - len(self.rows) * len(self.batches) + 1,
            learning_rate=self.settings.learning_rate,
        )


@contextmanager
def _deterministic() -> Iterator[None]:
    """Let equal seeds end in equal weights, down to the bit."""
    before = torch.are_deterministic_algorithms_enabled()
    torch.use_deterministic_algorithms(True)
    # Nothing here reads what was never written, and to fill it would cost time at every step.
    deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]  # made when torch runs
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before)
