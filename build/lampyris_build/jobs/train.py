"""The job of kind train: the same build as the command line's."""

import msgspec

from lampyris.jobs.specs import TrainSpec
from lampyris_build.jobs import folds
from lampyris_build.jobs.member import forget_rounds, share_out
from lampyris_build.jobs.recipes import recipe_of_job
from lampyris_build.jobs.results import finish
from lampyris_build.jobs.worker import Work
from lampyris_build.pipeline import build


def train(work: Work) -> None:
    """Raises: BuildError, TimeIsUp, JobLost, Unavailable."""
    spec = msgspec.convert(work.job.spec, TrainSpec)
    recipe = recipe_of_job(spec.recipe, spec.data, bucket=work.worker.bucket)
    if share_out(work, spec, recipe) or folds.send_out(work, spec, recipe):
        return
    built = build(
        recipe,
        work.out,
        console=work.console,
        folds=folds.gather(work, spec, recipe),
        watch=work.following,
    )
    finish(work, built, spec.publish)
    if work.job.children > 0:
        forget_rounds(work.worker.store, work.job.id)
