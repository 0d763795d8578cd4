"""A worker that dies at any call of AWS, before or after its effect: the job ends the same."""

from threading import Event
from typing import Any

import msgspec
import pytest
from rich.console import Console

from lampyris.errors import JobLost
from lampyris.jobs.holding import Hold
from lampyris.jobs.job import Failure
from lampyris_build.data import load_dataset
from lampyris_build.evaluation.cross_validation import fold_of
from lampyris_build.jobs.following import Following
from lampyris_build.pipeline import fit_fold
from lampyris_build.recipe import read_recipe
from lampyris_build.stages import Stages

RECIPE = """
name = "iris"
seed = 1
dataset = { source = "sklearn", name = "iris" }
model = { architecture = "mlp", hidden = [8] }
training = { epochs = 2, batch_size = 32, learning_rate = 1e-2 }
evaluation = { folds = 3 }
"""
SPEC = {"fold": 1, "train": {"kind": "train", "recipe": RECIPE}}


class Keeping(Following):
    """Keeps every checkpoint."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named, keep_every_s=0)


@pytest.fixture(scope="module")
def scores() -> dict[str, float]:
    recipe = read_recipe(RECIPE, "here")
    with Stages(Console(quiet=True)) as stages, stages.stage("fold") as stage:
        return fit_fold(recipe, fold_of(recipe, load_dataset(recipe), 1), stage)


def test_worker_killed_at_any_call_is_followed_by_one_that_ends_the_same(
    new_world: Any, scores: dict[str, float], time_for: Any
) -> None:
    fatal = 1
    while True:
        world = new_world()
        world.following = Keeping
        world.fate.fatal, world.fate.after = fatal, fatal % 2 == 0
        world.remaining = lambda number: time_for(4) if number == 1 else lambda: 900.0

        ended = world.run(world.submit("fold", SPEC))

        assert (ended.state, ended.failure) == ("succeeded", None), fatal
        assert ended.summary["scores"] == scores, fatal
        if world.fate.calls < fatal:
            break
        fatal += 1
    assert fatal > 30


def test_fold_that_another_worker_took_over_is_left_and_nothing_more_is_written(world: Any) -> None:
    class Overtaken(Keeping):
        def advanced(self, step: int, steps: int, metric: tuple[str, float] | None) -> None:
            if step == 3 and world.workers == 1:
                world.jobs.change(
                    self._hold.job.id,
                    lambda job: msgspec.structs.replace(job, worker="another", generation=job.generation + 1),
                )
                world.before = len(world.keys("jobs/"))
            super().advanced(step, steps, metric)

    world.following = Overtaken
    job = world.submit("fold", SPEC)
    for _ in range(2):
        world.step()

    assert world.jobs.get(job.id).worker == "another"
    assert world.jobs.get(job.id).state == "running"
    assert not list(world.scratch.rglob("*.safetensors"))


def test_job_that_was_let_go_at_the_last_moment_is_not_ended_by_the_same_worker(world: Any) -> None:
    held: list[Hold] = []

    def late(hold: Hold) -> None:
        held.append(hold)
        hold.fail(Failure(code="out-of-time", detail="It was late."), for_now=True)
        with pytest.raises(JobLost):
            hold.succeed(results={}, summary={})

    world.instead["fold"] = late

    ended = world.run(world.submit("fold", SPEC))

    assert ended.state == "failed"
    assert ended.failure.code == "out-of-time"
    assert len(held) == ended.max_attempts


def test_job_whose_checkpoint_was_cleared_away_begins_anew(
    world: Any, scores: dict[str, float], time_for: Any
) -> None:
    world.remaining = lambda number: time_for(4) if number == 1 else lambda: 900.0
    job = world.submit("fold", SPEC)
    while world.jobs.get(job.id).checkpoint is None:
        world.step()
    for key in world.keys("jobs/"):
        world.store.delete(key)

    ended = world.run(job)

    assert ended.state == "succeeded"
    assert ended.summary["scores"] == scores


def test_stage_that_outlasts_its_worker_is_let_go_with_the_reason_and_tried_by_another(
    world: Any, scores: dict[str, float]
) -> None:
    let_go = Event()

    class Stuck(Following):
        def begun(self, stage: str) -> None:
            super().begun(stage)
            if stage == "model" and world.workers == 1:
                world.left_s = 1.0  # too little for anything but a last word
                while self._hold.job.worker is not None:
                    let_go.wait(0.01)

    world.left_s = 900.0
    world.following = Stuck
    world.remaining = lambda number: lambda: world.left_s if number == 1 else 900.0

    ended = world.run(world.submit("fold", SPEC))

    assert (ended.state, ended.attempts) == ("succeeded", 2)
    assert ended.summary["scores"] == scores
    assert any(line.startswith("out-of-time: ") and "'model'" in line for line in ended.log)
