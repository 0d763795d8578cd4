"""Train jobs whose members average: one worker at a time here, each of which lets go when it has to wait."""

from collections.abc import Callable
from typing import Any

import pytest

from lampyris.jobs.job import Job
from lampyris_build.jobs.member import rounds_prefix

RECIPE = """
name = "digits"
seed = 5

[dataset]
source = "sklearn"
name = "digits"

[model]
architecture = "mlp"
hidden = [8]

[training]
epochs = 2
batch_size = 256
learning_rate = 1e-2
"""
TIME = 6  # how often a worker may ask for its time before it is up


def spec(recipe: str = RECIPE, **others: object) -> dict[str, Any]:
    return {"kind": "train", "recipe": recipe, "workers": 2, "average_every": 3, **others}


@pytest.fixture
def trained(world: Any, time_for: Callable[[int], Callable[[], float]]) -> Callable[..., Job]:
    """Do a job whose members have so little time that each waits for the other in one of its turns."""

    def run(**others: Any) -> Job:
        world.remaining = lambda _: time_for(TIME)
        job: Job = world.run(world.submit("train", spec(**others)))
        return job

    return run


def test_members_train_and_their_parent_builds_what_they_came_to(
    world: Any, trained: Callable[..., Job]
) -> None:
    ended = trained()

    members = [world.jobs.get(child) for child in ended.child_ids]
    assert [one.state for one in members] == ["succeeded", "succeeded"]
    assert members[0].summary == members[1].summary
    assert (ended.state, ended.failure, ended.attempts) == ("succeeded", None, 2)
    assert world.store.get(f"inbox/digits/{ended.summary['upload']}/bundle.json").data
    assert world.keys(rounds_prefix(ended.id)) == []


@pytest.mark.parametrize(
    ("recipe", "told"),
    [
        (RECIPE + 'optimizer = "LBFGS"\n', "cannot be averaged"),
        (RECIPE.replace("batch_size = 256", "batch_size = 2"), "cannot be divided among 3 workers"),
    ],
)
def test_recipe_that_members_cannot_share_is_refused_before_there_are_any(
    trained: Callable[..., Job], recipe: str, told: str
) -> None:
    ended = trained(recipe=recipe, workers=3)

    assert ended.state == "failed"
    assert ended.failure is not None
    assert told in ended.failure.detail
    assert ended.children == 0


def test_parent_fails_for_the_reason_of_its_members(trained: Callable[..., Job]) -> None:
    ended = trained(recipe=RECIPE.replace("1e-2", "1e6") + 'optimizer = "SGD"\n')

    assert (ended.state, ended.failure is not None and ended.failure.code) == ("failed", "part-failed")
    assert ended.failure is not None
    assert "loss" in ended.failure.detail
