"""Find out which model, how small, at what score, speed and price; then build that one."""

import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from lampyris_build.bundle import check_vacant
from lampyris_build.errors import NothingToPick
from lampyris_build.pipeline import BuildResult, build, check_recipe, load, start_torch
from lampyris_build.recipe import Recipe
from lampyris_build.stages import Stage, Stages
from lampyris_build.tuning.space import check_space

if TYPE_CHECKING:  # they import torch, which takes seconds
    from lampyris_build.reporting import Comparison
    from lampyris_build.tuning.points import Point
    from lampyris_build.tuning.trials import Trials, Tried


@dataclass(frozen=True, kw_only=True)
class Tuned:
    """All trials, the models that they left, which of these was picked and why, and its build.

    Nothing is picked, and nothing built, if no model scores what the recipe demands.
    """

    trials: tuple["Tried", ...]
    points: tuple["Point", ...]
    picked: "Point | None"
    why: str
    result: BuildResult | None = None

    @property
    def comparison(self) -> "Comparison":
        """What a report shows of it."""
        from lampyris_build.reporting import Comparison  # noqa: PLC0415 - torch

        return Comparison(trials=tuple(point.shown(self.picked) for point in self.points), choice=self.why)


def tune(recipe: Recipe, out: Path, *, console: Console) -> Tuned:
    """Compare what [tune] spans on the validation set, pick one by its rule, and put its bundle at `out`.

    What every trial came to is kept beside `out` until the bundle is whole; the same call goes on from there.

    Raises: BuildError.
    """
    out = out.resolve()
    check_vacant(out)
    check_recipe(recipe)
    check_space(recipe)
    folder = out.with_name(f"{out.name}.tuning")
    with Stages(console) as stages:
        dataset = load(recipe, stages)
        start_torch(stages)
        from lampyris_build.tuning.trials import Trials  # noqa: PLC0415 - torch

        trials = Trials(dataset, folder)
        with stages.stage("trials") as stage:
            tried = _tried(recipe, trials, stage)
        tuned = choose(recipe, tried, samples=len(dataset.validation))
    picked = tuned.picked
    if picked is None:
        return tuned
    assert picked.tried.recipe is not None
    _hand_over(trials.training(picked.tried.recipe), out)
    result = build(picked.recipe, out, console=console, comparison=tuned.comparison)
    shutil.rmtree(folder, ignore_errors=True)
    return replace(tuned, result=result)


def choose(recipe: Recipe, tried: tuple["Tried", ...], *, samples: int) -> Tuned:
    """Pick a model that trials left by the recipe's rule; `samples` is on how many they were measured.

    Raises: NothingToPick if no trial left a model.
    """
    from lampyris_build.tuning.choice import pick  # noqa: PLC0415 - torch, as above
    from lampyris_build.tuning.points import points_of  # noqa: PLC0415

    if not any(one.outcome.forms for one in tried):
        raise NothingToPick(trials=len(tried), first=tried[0].outcome.failure)
    points = points_of(tried)
    front = [point for point in points if point.is_on_front]
    picked, why = pick(front, recipe.tune, samples=samples)
    return Tuned(trials=tried, points=points, picked=picked, why=why)


def _tried(recipe: Recipe, trials: "Trials", stage: Stage) -> tuple["Tried", ...]:
    """Run the search, and show how far it is."""
    from lampyris_build.tuning.search import in_turn, search  # noqa: PLC0415 - torch

    found: list[Tried] = []
    best: Tried | None = None
    stage.expect(recipe.tune.trials)
    for tried in search(recipe, in_turn(trials.run, minutes=recipe.tune.minutes)):
        found.append(tried)
        if tried.outcome.failure:
            stage.note(f"Trial {tried.number} failed: {tried.outcome.failure}")
        elif best is None or tried.outcome.score > best.outcome.score:
            best = tried
        stage.advance(f"{tried.number} of {recipe.tune.trials}{_told(best)}")
    failed = sum(1 for tried in found if tried.outcome.failure)
    stage.outcome = f"{len(found)}{f', {failed} of them failed' if failed else ''}{_told(best)}"
    return tuple(found)


def _told(best: "Tried | None") -> str:
    return "" if best is None else f", best {best.outcome.score:.2%} ({best.number} {best.model})"


def _hand_over(training: Path, out: Path) -> None:
    """Let the build go on from the end of the trial's training; the weights are the same."""
    if training.is_dir():
        place = out.with_name(f"{out.name}.training")
        shutil.rmtree(place, ignore_errors=True)
        shutil.copytree(training, place)
