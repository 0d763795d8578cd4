"""The job of kind tune, and its trials: each a job of its own, those of a round at once.

The parent goes through the same search as the command line does, with what its trials have found. Where it
comes to some that nobody has run, it lets go of its job until they have been.
"""

import shutil
from collections.abc import Sequence
from datetime import timedelta

import msgspec

from lampyris.jobs.job import Failure, Job, Progress
from lampyris.jobs.jobs import Asked
from lampyris.jobs.specs import TuneSpec
from lampyris_build.jobs.checkpoints import fetch_checkpoint
from lampyris_build.jobs.parts import part
from lampyris_build.jobs.recipes import check_for_job, check_parts, recipe_of_job
from lampyris_build.jobs.results import finish, put_result
from lampyris_build.jobs.worker import Work
from lampyris_build.pipeline import build, check_recipe, load, start_torch
from lampyris_build.recipe import Recipe
from lampyris_build.recipe.tuning import Tune
from lampyris_build.stages import Stages
from lampyris_build.tuning.search import search
from lampyris_build.tuning.space import check_space
from lampyris_build.tuning.trials import Outcome, Trials
from lampyris_build.tuning.tune import Tuned, choose


class TrialSpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A trial: a recipe without [tune]. Only a parent makes it."""

    recipe: str


def tune(work: Work) -> None:
    """Raises: BuildError, TimeIsUp, JobLost, Unavailable."""
    spec = msgspec.convert(work.job.spec, TuneSpec)
    recipe = recipe_of_job(spec.recipe, spec.data, bucket=work.worker.bucket)
    if spec.trials is not None:
        recipe = msgspec.structs.replace(
            recipe, tune=msgspec.structs.replace(recipe.tune, trials=spec.trials)
        )
    check_parts(recipe, "tune.trials", recipe.tune.trials)
    check_recipe(recipe)
    check_space(recipe)
    children = _Children(work, recipe)
    tried = tuple(search(recipe, children.run))
    if children.is_waited_for:
        children.wait(len(tried))
        return
    tuned = choose(recipe, tried, samples=part(work, 0, "Trial").summary["samples"])
    trials = put_result(work, "trials.json", msgspec.json.encode(_document(tuned)))
    picked = tuned.picked
    if picked is None:
        work.hold.fail(Failure(code="nothing-picked", detail=tuned.why))
        return
    assert picked.tried.recipe is not None
    if work.job.checkpoint is None:  # else the build is further by now
        _take_over(work, children.number_of(picked.tried.recipe))
    built = build(
        picked.recipe, work.out, console=work.console, comparison=tuned.comparison, watch=work.following
    )
    finish(work, built, spec.publish, results={"trials": trials}, told={"picked": picked.name})


class _Children:
    """Runs the rounds of a search: what its trials have found, as far as they are there."""

    def __init__(self, work: Work, recipe: Recipe) -> None:
        self._work = work
        self._minutes = recipe.tune.minutes
        self._asked: list[Recipe] = []
        self.is_waited_for = False

    def run(self, recipes: Sequence[Recipe]) -> Sequence[Outcome]:
        """Return the outcomes of a round; none if it has not been run, or there is no time for it.

        Raises: PartFailed, InvalidRecipe, TableUnavailable.
        """
        first = len(self._asked)
        if self._is_late(first):
            return ()
        for recipe in recipes:
            check_for_job(recipe, bucket=self._work.worker.bucket)
        self._asked += recipes
        if len(self._asked) > self._work.job.children:
            self.is_waited_for = True
            return ()
        return [_outcome(self._child(number)) for number in range(first, len(self._asked))]

    def wait(self, ended: int) -> None:
        """Let go of the job until all trials that were asked for have ended. Raises: JobLost, Unavailable."""
        job, hold = self._work.job, self._work.hold
        hold.beat(Progress(stage="trials", step=ended, steps=len(self._asked), unit="trials"))
        hold.wait_for(
            [
                Asked(
                    kind="trial",
                    by=job.by,
                    key=f"{job.id} trial {number}",
                    spec=msgspec.to_builtins(TrialSpec(recipe=_text(recipe))),
                    model=job.model,
                    max_attempts=job.max_attempts,
                )
                for number, recipe in enumerate(self._asked)
            ]
        )

    def number_of(self, recipe: Recipe) -> int:
        return self._asked.index(recipe)

    def _is_late(self, ended: int) -> bool:
        """Say whether the minutes were over when the trials so far had ended; the same whoever asks."""
        started_at = self._work.job.started_at
        if self._minutes is None or ended == 0:
            return False
        assert started_at is not None
        over_at = started_at + timedelta(minutes=self._minutes)
        ends = (self._child(number).ended_at for number in range(min(ended, self._work.job.children)))
        return any(end is not None and end >= over_at for end in ends)

    def _child(self, number: int) -> Job:
        return part(self._work, number, "Trial")


def trial(work: Work) -> None:
    """Make the model of a trial, and measure it. Raises: BuildError, TimeIsUp, JobLost, Unavailable."""
    spec = msgspec.convert(work.job.spec, TrialSpec)
    recipe = recipe_of_job(spec.recipe, None, bucket=work.worker.bucket)
    with Stages(work.console, work.following) as stages:
        dataset = load(recipe, stages)
        start_torch(stages)
    outcome = Trials(dataset, work.training, work.following).run(recipe)
    work.checkpoints.keep()  # the build of the model that is picked goes on from there
    work.hold.succeed(
        results={},
        summary={"outcome": msgspec.to_builtins(outcome), "samples": len(dataset.validation)},
    )


def _outcome(trial: Job) -> Outcome:
    return msgspec.convert(trial.summary["outcome"], Outcome)


def _text(recipe: Recipe) -> str:
    return msgspec.structs.replace(recipe, tune=Tune()).to_toml()


def _take_over(work: Work, number: int) -> None:
    """Let the build go on from the end of a trial's training; the weights are the same."""
    key = part(work, number, "Trial").checkpoint
    if key is None:
        return
    kept = work.folder / "trial"
    fetch_checkpoint(work.worker.store, key, kept)
    for training in kept.glob("*.training"):
        shutil.copytree(training, work.training, dirs_exist_ok=True)


def _document(tuned: Tuned) -> dict[str, object]:
    return {
        "picked": None if tuned.picked is None else tuned.picked.name,
        "why": tuned.why,
        "models": [point.shown(tuned.picked) for point in tuned.points],
        "trials": [
            {
                "number": tried.number,
                "changes": tried.changes,
                "failure": tried.outcome.failure or None,
                "elapsed_s": tried.outcome.elapsed_s,
            }
            for tried in tuned.trials
        ],
    }
