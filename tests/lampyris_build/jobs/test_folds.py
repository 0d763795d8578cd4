"""Folds as jobs of their own: what they find is what one build finds, whoever of them is retried."""

from typing import Any

import pytest
from rich.console import Console

from lampyris_build.data import load_dataset
from lampyris_build.evaluation.cross_validation import Folds, cross_validate
from lampyris_build.pipeline import fit_fold
from lampyris_build.recipe import read_recipe
from lampyris_build.stages import Stages

RECIPE = """
name = "iris"
seed = 1
dataset = { source = "sklearn", name = "iris" }
model = { architecture = "mlp", hidden = [8] }
training = { epochs = 3, batch_size = 16, learning_rate = 1e-2 }
evaluation = { folds = 3 }
"""
SPEC = {"kind": "train", "recipe": RECIPE, "publish": "no"}


@pytest.fixture(scope="module")
def serial() -> Folds:
    recipe = read_recipe(RECIPE, "here")
    with Stages(Console(quiet=True)) as stages, stages.stage("folds") as stage:
        return cross_validate(recipe, load_dataset(recipe), lambda _, one: fit_fold(recipe, one, stage))


def test_folds_run_as_children_and_score_what_one_build_scores(world: Any, serial: Folds) -> None:
    job = world.submit("train", SPEC)

    ended = world.run(job)

    children = [world.jobs.get(child) for child in ended.child_ids]
    assert (ended.state, ended.failure) == ("succeeded", None)
    assert tuple(child.summary["scores"] for child in children) == serial.scores
    assert [child.attempts for child in children] == [1, 1, 1]
    assert ended.attempts == 2
    report = world.store.get(ended.results["report"]).data.decode()
    assert f"{serial.mean['score']:.2%}"[:4] in report


def test_fold_whose_worker_dies_or_has_no_time_is_tried_again_alone(
    world: Any, serial: Folds, time_for: Any
) -> None:
    world.remaining = lambda number: {2: lambda: 0.0, 4: time_for(4)}.get(number, lambda: 900.0)

    ended = world.run(world.submit("train", SPEC))

    children = [world.jobs.get(child) for child in ended.child_ids]
    assert ended.state == "succeeded"
    assert tuple(child.summary["scores"] for child in children) == serial.scores
    assert sum(child.attempts for child in children) == 5


def test_fold_that_fails_fails_its_parent_with_its_reason(world: Any) -> None:
    recipe = RECIPE.replace("1e-2", "1e6")

    ended = world.run(world.submit("train", SPEC | {"recipe": recipe.replace("16", '16, optimizer = "SGD"')}))

    assert ended.state == "failed"
    assert ended.failure.code == "part-failed"
    assert "training.learning_rate" in ended.failure.detail
