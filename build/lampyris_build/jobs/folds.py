"""The folds of a cross-validation, each a job of its own. Any of them can be computed alone."""

from typing import TYPE_CHECKING

import msgspec

from lampyris.jobs.job import Progress
from lampyris.jobs.jobs import Asked
from lampyris.jobs.specs import TrainSpec
from lampyris_build.jobs.checkpoints import discard_checkpoints
from lampyris_build.jobs.parts import part
from lampyris_build.jobs.recipes import check_parts, recipe_of_job
from lampyris_build.jobs.worker import Work
from lampyris_build.pipeline import fit_fold, load, start_torch
from lampyris_build.recipe import Recipe
from lampyris_build.stages import Stages

if TYPE_CHECKING:  # it imports scikit-learn, which takes seconds
    from lampyris_build.evaluation.cross_validation import Folds


class FoldSpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A fold of what a train job is asked, counted from 0. Only a parent makes it."""

    fold: int
    train: TrainSpec


def send_out(work: Work, spec: TrainSpec, recipe: Recipe) -> bool:
    """Have the folds trained, if the recipe wants any; True if the job was let go until they are.

    Raises: InvalidRecipe, JobLost, Unavailable.
    """
    count = _sent_out(spec, recipe)
    if count == 0 or work.job.children > 0:
        return False
    check_parts(recipe, "evaluation.folds", count)
    work.hold.beat(Progress(stage="folds", steps=count, unit="folds"))
    work.hold.wait_for(
        [
            Asked(
                kind="fold",
                by=work.job.by,
                key=f"{work.job.id} fold {fold}",
                spec=msgspec.to_builtins(FoldSpec(fold=fold, train=spec)),
                model=work.job.model,
                max_attempts=work.job.max_attempts,
            )
            for fold in range(count)
        ]
    )
    return True


def gather(work: Work, spec: TrainSpec, recipe: Recipe) -> "Folds | None":
    """Return what the folds came to; None if they were not sent out. Raises: PartFailed, Unavailable."""
    from lampyris_build.evaluation.cross_validation import Folds  # noqa: PLC0415 - scikit-learn

    count = _sent_out(spec, recipe)
    if count == 0:
        return None
    return Folds(scores=tuple(dict(part(work, fold, "Fold").summary["scores"]) for fold in range(count)))


def _sent_out(spec: TrainSpec, recipe: Recipe) -> int:
    """Return how many folds are jobs; none on machines, nor where the training itself is shared out."""
    return 0 if spec.compute == "batch" or spec.workers > 1 else recipe.evaluation.folds or 0


def fold(work: Work) -> None:
    """Train and measure a fold. Raises: BuildError, TimeIsUp, JobLost, Unavailable."""
    from lampyris_build.evaluation.cross_validation import fold_of  # noqa: PLC0415 - scikit-learn

    spec = msgspec.convert(work.job.spec, FoldSpec)
    recipe = recipe_of_job(spec.train.recipe, spec.train.data, bucket=work.worker.bucket)
    with Stages(work.console, work.following) as stages:
        dataset = load(recipe, stages)
        start_torch(stages)
        with stages.stage("model") as stage:
            scores = fit_fold(recipe, fold_of(recipe, dataset, spec.fold), stage, training=work.training)
            stage.outcome = f"fold {spec.fold + 1} scores {scores['score']:.2%}"
    work.hold.succeed(results={}, summary={"score": scores["score"], "scores": scores})
    discard_checkpoints(work.worker.store, work.job.id)
