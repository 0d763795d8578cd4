"""A training that is shared out among functions: its members, what each does, and what their parent gets.

The parent lets go of its job while the members train, each a job of its own:

    if share_out(work, spec, recipe):
        return

Woken, it finds the training at its end in its folder, and builds on from there.
"""

from time import sleep
from typing import Final

import msgspec

from lampyris.domain.store import Store
from lampyris.errors import ObjectExists, ObjectNotFound
from lampyris.jobs.job import Failure, Job
from lampyris.jobs.jobs import Asked
from lampyris.jobs.specs import TrainSpec
from lampyris_build.errors import InvalidRecipe
from lampyris_build.jobs.recipes import recipe_of_job
from lampyris_build.jobs.worker import Work
from lampyris_build.pipeline import load, start_torch
from lampyris_build.recipe import Recipe
from lampyris_build.stages import Stages, TimeIsUp
from lampyris_build.training.files import write_atomically

# Sums of gradients that other optimizers remember can be averaged; what LBFGS remembers has no fixed length.
_NOT_AVERAGED: Final = ("LBFGS",)
_CHECKPOINT: Final = "checkpoint.safetensors"  # as `making.make` names it in its folder


class MemberSpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What one of `train.workers` members does. Only a parent makes it."""

    rank: int
    train: TrainSpec


def share_out(work: Work, spec: TrainSpec, recipe: Recipe) -> bool:
    """Have members train; True if the job is let go: until they have, or since they could not.

    Once they have, their training is put where the build finds it, and it is False; as it is at once for a
    model that one worker trains.

    Raises: InvalidRecipe, JobLost, Unavailable, WriteFailed.
    """
    if spec.workers == 1 or spec.compute == "batch" or recipe.training is None:
        return False
    if work.job.children == 0:
        check_shareable(recipe, spec.workers)
        work.hold.wait_for(plan_members(work.job, spec))
        return True
    if work.job.checkpoint is None:  # else it has been taken over by an earlier worker
        state = gather_members(work.job, work.worker.store)
        if state is None:
            work.hold.fail(_why(work))
            return True
        write_atomically(work.training / _CHECKPOINT, state)
    return False


def plan_members(job: Job, spec: TrainSpec) -> list[Asked]:
    """Say what the members of a train job are asked to do.

    They name no model: a limit for each model would make some wait for others that wait for them.
    """
    return [
        Asked(
            kind="member",
            by=job.by,
            key=f"{job.id} member {rank}",
            spec=msgspec.to_builtins(MemberSpec(rank=rank, train=spec)),
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
        team = Averaging(rounds, recipe.training, every=spec.train.average_every)
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
    """Delete what members exchanged; nobody reads it once their parent has succeeded.

    Raises: StoreUnavailable.
    """
    for entry in store.list(rounds_prefix(parent)):
        store.delete(entry.key)


def rounds_prefix(parent: str) -> str:
    return f"jobs/{parent}/rounds/"


def _why(work: Work) -> Failure:
    members = [work.worker.jobs.get(child) for child in work.job.child_ids]
    failures = [one.failure for one in members if one.failure is not None]
    return failures[0] if failures else Failure(code="worker-lost", detail="No member came to the end.")


def _end_key(parent: str) -> str:
    return f"{rounds_prefix(parent)}end.safetensors"
