"""Trials as jobs of their own: the search comes to what it comes to on one machine."""

from pathlib import Path
from typing import Any

import msgspec
import pytest
from rich.console import Console

from lampyris.jobs.holding import Hold
from lampyris_build.pipeline import build
from lampyris_build.recipe import Recipe, read_recipe
from lampyris_build.tuning.search import in_turn, search
from lampyris_build.tuning.trials import Form, Outcome

RECIPE = """
name = "iris"
seed = 1
dataset = { source = "sklearn", name = "iris" }
model = { architecture = "mlp", hidden = [8] }
training = { epochs = 2, batch_size = 16, learning_rate = 1e-2, optimizer = "SGD" }
"""
LIST = """
[tune]
pick = "best"
[tune.space]
"training.learning_rate" = [1e6, 3e-2]
"""
RANGE = """
[tune]
trials = 17
min_score = 1
[tune.space]
"training.learning_rate" = { low = 1e-4, high = 1e-1, log = true }
"""


def near_a_hundredth(recipe: Recipe) -> Outcome:
    assert recipe.training is not None
    form = Form(
        name="fp32",
        steps=0,
        score=1 - abs(recipe.training.learning_rate - 0.01),
        size_bytes=1,
        latency_p50_ms=1,
        request_p50_ms=1,
        memory_mb=256,
        dollars_per_million=1,
    )
    return Outcome(forms=(form,), elapsed_s=0)


def pretend(hold: Hold) -> None:
    """Say what a trial would score, without making its model."""
    outcome = near_a_hundredth(read_recipe(hold.job.spec["recipe"], "here"))
    hold.succeed(results={}, summary={"outcome": msgspec.to_builtins(outcome), "samples": 12})


def test_trials_run_as_children_and_the_picked_one_is_built_from_the_end_of_its_training(
    world: Any, tmp_path: Path
) -> None:
    console = Console(quiet=True)
    serial = build(read_recipe(RECIPE.replace("1e-2", "3e-2"), "here"), tmp_path / "iris", console=console)

    ended = world.run(world.submit("tune", {"kind": "tune", "recipe": RECIPE + LIST}))

    assert (ended.state, ended.failure) == ("succeeded", None)
    assert ended.attempts == 2
    assert ended.summary["picked"] == "2 mlp, fp32"
    first, second = (world.jobs.get(child).summary["outcome"] for child in ended.child_ids)
    assert "training.learning_rate" in first["failure"]
    assert second["forms"][0]["score"] == pytest.approx(serial.variants["fp32"].score, abs=0.3)
    bundle = msgspec.json.decode(world.store.get(ended.results["bundle"]).data)
    assert bundle["files"]["model.onnx"]["digest"] == serial.bundle.files["model.onnx"].digest
    assert any("steps from the checkpoint" in line for line in ended.log)
    assert not [key for key in world.keys("jobs/") if "/checkpoint/" in key]


def test_rounds_of_children_try_what_the_search_on_one_machine_tries(world: Any) -> None:
    recipe = read_recipe(RECIPE + RANGE, "here")
    serial = [one.recipe for one in search(recipe, in_turn(near_a_hundredth, minutes=None))]
    world.instead["trial"] = pretend

    ended = world.run(world.submit("tune", {"kind": "tune", "recipe": RECIPE + RANGE}))

    tried = [read_recipe(world.jobs.get(child).spec["recipe"], "here") for child in ended.child_ids]
    assert [one.training for one in tried] == [one.training for one in serial if one is not None]
    assert ended.attempts == 4  # three rounds, and one to pick
    assert ended.failure.code == "nothing-picked"


def test_minutes_end_the_search_after_the_round_in_which_they_are_over(world: Any) -> None:
    recipe = RECIPE + RANGE.replace("min_score = 1", "min_score = 1\nminutes = 1e-3")

    def slowly(hold: Hold) -> None:
        world.queues.time_s += 10
        pretend(hold)

    world.instead["trial"] = slowly

    ended = world.run(world.submit("tune", {"kind": "tune", "recipe": recipe}))

    assert ended.children == 10


def test_space_that_holds_code_of_ones_own_is_refused(world: Any) -> None:
    space = '[tune.space]\nmodel = [{ architecture = "torch", module = "os:system" }]\n'

    ended = world.run(world.submit("tune", {"kind": "tune", "recipe": RECIPE + space}))

    assert ended.failure.code == "invalid-recipe"
    assert "code of your own" in ended.failure.detail
