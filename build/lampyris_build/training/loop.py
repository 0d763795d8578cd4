"""Find the weights: mini-batches, a schedule, early stopping, and a checkpoint every few seconds."""

import math
import zlib
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from time import monotonic
from typing import Final

import msgspec
import numpy as np
import torch
from torch import nn
from torch.optim.lr_scheduler import ReduceLROnPlateau
from torch.utils import deterministic

from lampyris_build.data.dataset import Samples
from lampyris_build.errors import TrainingDiverged
from lampyris_build.recipe.training import Training
from lampyris_build.stages import Stage, TimeIsUp
from lampyris_build.training.batches import Batches, batch_of
from lampyris_build.training.checkpoint import Checkpoint, State
from lampyris_build.training.distributed import Job, shared
from lampyris_build.training.history import Epoch, History, best, epochs_without_progress
from lampyris_build.training.log import TrainingLog
from lampyris_build.training.optimizers import optimizer_for
from lampyris_build.training.schedules import schedule_for
from lampyris_build.training.team import Elsewhere, Team, part_of, team_for

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
    team: Team | None = None,
) -> History:
    """Train the learner in place; it takes encoded inputs and targets, and gives the loss.

    Goes on from the checkpoint if it holds the start of this very training; the weights end the same. The
    `team` are others who train along, if they are not processes of this one's group.

    Raises: TrainingDiverged, InvalidRecipe, WriteFailed, WorkerLost; TimeIsUp, with the checkpoint saved.
    """
    saved = None if checkpoint is None else checkpoint.load()
    job = Job(learner=learner, train=train, validation=validation, settings=settings, seed=seed, saved=saved)
    with shared(job):
        run = _Run(job, team or team_for(settings))
        resumed_steps = run.step
        stage.expect(settings.epochs * len(run.batches), resumed_steps)
        try:
            for loss in run.to_the_end(checkpoint, log):
                stage.metric = ("loss", loss)
                stage.advance(f"{run.told}, loss {loss:.3f}{run.validated}")
        except TimeIsUp:
            run.save(checkpoint, when=checkpoint is not None)
            raise
        return History(rows=run.rows, stopped_early=run.stopped_early, resumed_steps=resumed_steps)


def take_part(job: Job) -> None:
    """Do what process 0 does in `train`, with this process's part of every batch."""
    for _ in _Run(job, team_for(job.settings)).to_the_end(None, None):
        pass


class _Run:
    """A training, at the end of some step."""

    def __init__(self, job: Job, team: Team) -> None:
        settings = team.adapted(job.settings)
        self.learner = job.learner
        self.validation = job.validation
        self.settings = settings
        self.seed = job.seed
        self.batches = Batches(job.train, settings.batch_size, job.seed)
        self.team = team
        saved = team.begin(job.saved, self.batches)
        if saved is not None:
            self.learner.load_state_dict(saved["learner"])
        self.module = self.team.spread(self.learner)
        self.optimizer = optimizer_for(
            settings, [one for one in self.module.parameters() if one.requires_grad]
        )
        self.schedule = schedule_for(settings, self.optimizer, settings.epochs * len(self.batches))
        self.step = 0
        self.loss_sum = 0.0  # over the steps of this epoch
        self.seconds = 0.0
        self.rows: tuple[Epoch, ...] = ()
        self.best: dict[str, torch.Tensor] | None = None
        if saved is not None:
            self._restore(saved)

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

    def to_the_end(self, checkpoint: Checkpoint | None, log: TrainingLog | None) -> Iterator[float]:
        """Train; yield the loss of every step, after it. The learner is left ready for use."""
        with _deterministic():
            if log is not None and self.rows:  # as whoever trained until now may not have
                log.record(self.rows)
            while not self.ended:
                try:
                    for loss in self._epoch():
                        yield loss
                        self.save(checkpoint, when=checkpoint is not None and checkpoint.due)
                    self._validate()
                except Elsewhere as others:
                    self._go_on_from(others.state)
                    continue
                self.save(checkpoint, when=checkpoint is not None)
                if log is not None:
                    log.record(self.rows)
        weights = self.team.weights(self.module) if self.best is None else self.best
        if self.team.rank == 0:  # who is not may have none
            self.learner.load_state_dict(weights)
        self.learner.eval()

    def _epoch(self) -> Iterator[float]:
        """Go through what is left of an epoch; yield the loss before every step, after it."""
        self.module.train()
        first = self.step - len(self.rows) * len(self.batches)
        part, share = self.team.share(self.batches.size)
        for inputs, targets in self.batches.of_epoch(len(self.rows), first=first, part=part):
            started_s = monotonic()
            loss = self._step(inputs, targets, share)
            self.step += 1
            self.loss_sum += loss
            self.seconds += monotonic() - started_s
            agreed = self.team.agree(self.step, self._state)
            if agreed is not None:
                self._go_on_from(agreed)
            yield loss

    def _step(self, inputs: tuple[torch.Tensor, ...], targets: torch.Tensor | None, share: float) -> float:
        def loss_and_gradients() -> float:
            self._draw_anew(self.team.rank)
            self.optimizer.zero_grad()
            with self._precision():
                loss: torch.Tensor = self.module(inputs, targets)
            value = self.team.total(loss.item() * share)
            if not math.isfinite(value):  # before it spoils the weights
                raise self._diverged(value)
            self.team.scaled(loss, share).backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
            if self.settings.clip_norm is not None:
                nn.utils.clip_grad_norm_(self.module.parameters(), self.settings.clip_norm)
            return value

        # Handed over, since LBFGS calls it several times in a step.
        loss = self.optimizer.step(loss_and_gradients)
        if not isinstance(self.schedule, ReduceLROnPlateau):
            self.schedule.step()
        return loss

    def _precision(self) -> AbstractContextManager[object]:
        # Not entered for fp32: even disabled, autocast costs a small network's step some of its time.
        return torch.autocast("cpu", torch.bfloat16) if self.settings.precision == "bf16" else nullcontext()

    def _validate(self) -> None:
        """End an epoch: measure the loss on the validation set, and add a row."""
        started_s = monotonic()
        loss = self._validation_loss()
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
            weights = self.team.weights(self.module)
            self.best = {name: tensor.clone() for name, tensor in weights.items()}

    def _validation_loss(self) -> float:
        self.module.eval()
        loss = self.team.sum_of_parts(self._validation_sum) / len(self.validation)
        if not math.isfinite(loss):
            raise self._diverged(loss)
        return loss

    def _validation_sum(self, rank: int, size: int) -> float:
        """Add up the losses of a part of the validation set."""
        self._draw_anew(rank)
        total, count = 0.0, len(self.validation)
        with torch.inference_mode():
            for start in range(0, count, _VALIDATION_BATCH):
                together = min(_VALIDATION_BATCH, count - start)
                part, share = part_of(together, rank, size)
                inputs, targets = batch_of(self.validation, np.arange(start, start + together)[part])
                total += self.module(inputs, targets).item() * share * together
        return total

    def save(self, checkpoint: Checkpoint | None, *, when: bool) -> None:
        if self.team.any(when):
            state = self._state()
            if checkpoint is not None:
                checkpoint.save(state)

    def _state(self) -> State:
        return {
            "learner": self.team.weights(self.module),
            "optimizer": self.team.optimizer_state(self.module, self.optimizer),
            "schedule": self.schedule.state_dict(),
            "step": self.step,
            "loss_sum": self.loss_sum,
            "seconds": self.seconds,
            "rows": [msgspec.structs.asdict(row) for row in self.rows],
            "best": self.best,
        }

    def _go_on_from(self, state: State) -> None:
        self.learner.load_state_dict(state["learner"])
        self._restore(state)

    def _restore(self, state: State) -> None:
        self.team.restore_optimizer(self.module, self.optimizer, state["optimizer"])
        self.schedule.load_state_dict(state["schedule"])
        self.step = state["step"]
        self.loss_sum = state["loss_sum"]
        self.seconds = state["seconds"]
        self.rows = tuple(Epoch(**row) for row in state["rows"])
        self.best = state["best"]

    def _draw_anew(self, rank: int) -> None:
        """Let what is random in a step follow from its number: no generator's state must be brought back."""
        seed = zlib.crc32(f"{self.seed} {self.step} {rank}".encode())
        torch.default_generator.manual_seed(seed)

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
