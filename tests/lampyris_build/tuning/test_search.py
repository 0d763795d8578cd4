"""The search with outcomes that are computed, not trained: a score for each recipe."""

from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec
import pytest

from lampyris_build.recipe import Recipe, load_recipe
from lampyris_build.tuning.search import in_turn, search
from lampyris_build.tuning.trials import Form, Outcome, Tried

RECIPE = """
name = "flowers"
seed = 3
[dataset]
source = "sklearn"
name = "iris"
[model]
architecture = "mlp"
[training]
epochs = 2
[tune]
trials = {trials}
[tune.space]
{space}
"""
RATE = '"training.learning_rate" = { low = 1e-4, high = 1e-1, log = true }'


def spanning(tmp_path: Path, space: str, trials: int) -> Recipe:
    path = tmp_path / "recipe.toml"
    path.write_text(RECIPE.format(space=space, trials=trials))
    return load_recipe(path)


def scored(score: float) -> Outcome:
    form = Form(
        name="fp32",
        steps=0,
        score=score,
        size_bytes=1,
        latency_p50_ms=1,
        request_p50_ms=1,
        memory_mb=256,
        dollars_per_million=1,
    )
    return Outcome(forms=(form,), elapsed_s=0)


def tried(recipe: Recipe, make: Callable[[Recipe], Outcome]) -> list[Tried]:
    return list(search(recipe, in_turn(make, minutes=recipe.tune.minutes)))


def near_a_hundredth(recipe: Recipe) -> Outcome:
    assert recipe.training is not None
    return scored(1 - abs(recipe.training.learning_rate - 0.01))


def rates(trials: list[Tried]) -> list[float]:
    return [trial.changes["training.learning_rate"] for trial in trials]


def test_later_trials_are_nearer_to_what_scored_best(tmp_path: Path) -> None:
    trials = tried(spanning(tmp_path, RATE, 30), near_a_hundredth)

    first, last = (sorted(one.outcome.score for one in part)[5] for part in (trials[:10], trials[-10:]))
    assert last > first


def test_same_outcomes_lead_to_the_same_trials_however_often_it_was_interrupted(tmp_path: Path) -> None:
    recipe = spanning(tmp_path, RATE, 14)
    again = spanning(tmp_path, RATE, 12)

    whole = tried(recipe, near_a_hundredth)

    assert rates(tried(again, near_a_hundredth)) == rates(whole)[:12]


def test_small_space_is_tried_whole_and_nothing_twice(tmp_path: Path) -> None:
    space = 'model = [{ architecture = "mlp" }, { architecture = "random-forest" }]\n"model.trees" = [5, 9]'

    trials = tried(spanning(tmp_path, space, 10), lambda _: scored(0.5))

    assert [trial.model for trial in trials] == ["mlp", "random-forest", "random-forest"]


def test_search_ends_where_the_sampler_finds_nothing_new(tmp_path: Path) -> None:
    space = '"training.epochs" = { low = 1, high = 3, whole = true }'

    trials = tried(spanning(tmp_path, space, 100), lambda _: scored(0.5))

    assert sorted(trial.changes["training.epochs"] for trial in trials) == [1, 2, 3]


def test_failed_trials_do_not_end_the_search(tmp_path: Path) -> None:
    trials = tried(spanning(tmp_path, RATE, 3), lambda _: Outcome(failure="it diverged", elapsed_s=0))

    assert [trial.outcome.failure for trial in trials] == ["it diverged"] * 3


def test_minutes_end_the_search_after_a_trial_at_least(tmp_path: Path) -> None:
    recipe = spanning(tmp_path, RATE, 5)
    recipe = msgspec.structs.replace(recipe, tune=msgspec.structs.replace(recipe.tune, minutes=1e-9))

    trials = tried(recipe, near_a_hundredth)

    assert len(trials) == 1
    assert rates(trials)[0] == pytest.approx(trials[0].changes["training.learning_rate"])


def test_trials_of_a_round_may_all_run_before_any_of_them_is_known(tmp_path: Path) -> None:
    recipe = spanning(tmp_path, RATE, 23)
    rounds: list[int] = []

    def at_once(recipes: Sequence[Recipe]) -> list[Outcome]:
        rounds.append(len(recipes))
        return [near_a_hundredth(one) for one in reversed(recipes)][::-1]

    together = list(search(recipe, at_once))

    assert rates(together) == rates(tried(recipe, near_a_hundredth))
    assert rounds == [10, 5, 5, 3]


def test_search_that_finds_less_and_less_news_tells_the_sampler_of_what_came_twice_in_a_round(
    tmp_path: Path,
) -> None:
    space = '"training.epochs" = { low = 1, high = 40, whole = true }'

    trials = tried(spanning(tmp_path, space, 30), lambda one: scored(1 / one.training.epochs))  # type: ignore[union-attr]  # it has one

    epochs = [trial.changes["training.epochs"] for trial in trials]
    assert len(set(epochs)) == len(epochs)
    assert [trial.number for trial in trials] == list(range(1, len(trials) + 1))
