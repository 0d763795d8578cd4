"""A training that is shared out among functions: its members, what each does, and what their parent gets.

The parent lets go of its job while the members train, each a job of its own:

    if member.share_out(work, spec, recipe):
        return

Woken, it finds the training at its end in its folder, and builds on from there. When it has succeeded,
`forget_rounds` deletes what the members exchanged.
"""

from contextlib import suppress
from time import sleep
from typing import Final

import msgspec

from lampyris.domain.store import Store
from lampyris.errors import ObjectExists, ObjectNotFound, StoreUnavailable
from lampyris.jobs.job import Job, Progress
from lampyris.jobs.jobs import Asked
from lampyris.jobs.specs import TrainSpec
from lampyris_build.errors import InvalidRecipe
from lampyris_build.jobs.parts import PartFailed, part
from lampyris_build.jobs.recipes import recipe_of_job
from lampyris_build.jobs.worker import Work
from lampyris_build.pipeline import load, start_torch
from lampyris_build.recipe import Recipe
from lampyris_build.stages import Stages, TimeIsUp
from lampyris_build.training.files import write_atomically

# Sums of gradients that other optimizers remember can be averaged; what LBFGS remembers has no fixed length.
_NOT_AVERAGED: Final = ("LBFGS",)
# Where the job does not say: the rarest rounds that measured no worse than one worker (decision 0019).
_EVERY: Final = 8
_CHECKPOINT: Final = "checkpoint.safetensors"  # as `making.make` names it in its folder


class MemberSpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What one of `train.workers` members does. Only a parent makes it."""

    rank: int
    train: TrainSpec


def share_out(work: Work, spec: TrainSpec, recipe: Recipe) -> bool:
    """Have members train, if the job wants more than one worker; True if it was let go until they have.

    Once they have, their training is put where the build finds it.

    Raises: InvalidRecipe, PartFailed, JobLost, Unavailable, WriteFailed.
    """
    if spec.workers == 1 or spec.compute == "batch" or recipe.training is None:
        return False
    if work.job.children == 0:
        check_shareable(recipe, spec.workers)
        work.hold.beat(Progress(stage="members", steps=spec.workers, unit="members"))
        work.hold.wait_for(plan_members(work.job, spec))
        return True
    place = work.training / _CHECKPOINT
    if not place.exists():  # else an earlier worker kept it
        state = gather_members(work.job, work.worker.store)
        if state is None:
            for rank in range(spec.workers):
                part(work, rank, "Member")
            raise PartFailed(part="Every member", reason="none came to the end.")
        write_atomically(place, state)
    return False


def plan_members(job: Job, spec: TrainSpec) -> list[Asked]:
    """Say what the members of a train job are asked to do."""
    return [
        Asked(
            kind="member",
            by=job.by,
            key=f"{job.id} member {rank}",
            spec=msgspec.to_builtins(MemberSpec(rank=rank, train=spec)),
            model=job.model,
            max_attempts=job.max_attempts,
        )
        for rank in range(spec.workers)
    ]


def check_shareable(recipe: Recipe, workers: int) -> None:
    """Raises: InvalidRecipe if members could not average what the recipe trains."""
    training = recipe.training
    assert training is not None
    if training.optimizer in _NOT_AVERAGED:
        raise InvalidRecipe(
            recipe=recipe.name,
            reason=f"training.optimizer {training.optimizer} remembers what cannot be averaged; train "
            'it with workers = 1, or with compute = "batch".',
        )
    if training.batch_size < workers:
        raise InvalidRecipe(
            recipe=recipe.name,
            reason=f"a batch of {training.batch_size} cannot be divided among {workers} workers.",
        )


def member(work: Work) -> None:
    """Do a member's part of a training. Raises: BuildError, TimeIsUp, JobLost, Unavailable."""
    spec = msgspec.convert(work.job.spec, MemberSpec)
    recipe = recipe_of_job(spec.train.recipe, spec.train.data, bucket=work.worker.bucket)
    assert recipe.training is not None
    assert work.job.parent is not None

    def pause(seconds: float) -> None:
        if work.worker.remaining_s() <= work.following.margin_s:
            raise TimeIsUp
        sleep(seconds)

    with Stages(work.console, work.following) as stages:
        dataset = load(recipe, stages)
        start_torch(stages)
        from lampyris_build.making import make  # noqa: PLC0415 - torch, as below
        from lampyris_build.tasks import task_for  # noqa: PLC0415
        from lampyris_build.training.averaging import Averaging  # noqa: PLC0415
        from lampyris_build.training.rounds import Rounds  # noqa: PLC0415

        rounds = Rounds(
            work.worker.store,
            rounds_prefix(work.job.parent),
            rank=spec.rank,
            size=spec.train.workers,
            pause=pause,
        )
        team = Averaging(rounds, recipe.training, every=spec.train.average_every or _EVERY)
        with stages.stage("model") as stage:
            task = task_for(recipe, dataset)
            made = make(recipe, dataset, task, stage=stage, folder=work.training, team=team)
    put_end(work.worker.store, work.job.parent, (work.training / _CHECKPOINT).read_bytes())
    assert made.history is not None
    last = made.history.rows[-1]
    work.hold.succeed(results={}, summary={"epochs": last.epoch, "validation_loss": last.validation_loss})


def put_end(store: Store, parent: str, data: bytes) -> None:
    """Keep the state at which the members ended: all ended at the same. Raises: StoreUnavailable."""
    try:
        store.create(_end_key(parent), data)
    except ObjectExists:
        return  # another was first


def gather_members(job: Job, store: Store) -> bytes | None:
    """Return the state at which the members ended, as the training's checkpoint; None if none came there.

    One is enough: the others were absent when the last rounds ended. Raises: StoreUnavailable.
    """
    try:
        return store.get(_end_key(job.id)).data
    except ObjectNotFound:
        return None


def forget_rounds(store: Store, parent: str) -> None:
    """Delete what members exchanged: their parent has succeeded. What cannot be deleted stays."""
    with suppress(StoreUnavailable):
        for entry in store.list(rounds_prefix(parent)):
            store.delete(entry.key)


def rounds_prefix(parent: str) -> str:
    return f"jobs/{parent}/rounds/"


def _end_key(parent: str) -> str:
    return f"{rounds_prefix(parent)}end.safetensors"
