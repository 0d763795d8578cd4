"""Whole searches, on the 150 irises that scikit-learn carries."""

import platform
import re
from io import StringIO
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from lampyris.jobs.prices import architecture_of
from lampyris_build.data import load_dataset
from lampyris_build.errors import NothingToPick
from lampyris_build.recipe import Recipe, load_recipe
from lampyris_build.tuning.memory_size import LEAST_MB
from lampyris_build.tuning.prices import dollars_per_million
from lampyris_build.tuning.trials import Trials
from lampyris_build.tuning.tune import Tuned, tune

RECIPE = """
name = "flowers"
seed = 3
[dataset]
source = "sklearn"
name = "iris"
{model}
[tune]
trials = 3
pick = "best"
[tune.space]
{space}
"""
ESTIMATOR = """
[model]
architecture = "logistic-regression"
"""
NETWORK = """
[model]
architecture = "mlp"
hidden = [8]
[training]
epochs = 3
batch_size = 16
learning_rate = 1e-2
"""
FAMILIES = """
model = [
    { architecture = "logistic-regression" },
    { architecture = "support-vector-machine" },
    { architecture = "linear-regression" },
]
"""
NO_CLASSIFIER = 'model = [{ architecture = "linear-regression" }]'


def spanning(folder: Path, space: str, *, model: str = ESTIMATOR) -> Recipe:
    path = folder / "flowers.toml"
    path.write_text(RECIPE.format(model=model, space=space))
    return load_recipe(path)


def tuned(recipe: Recipe, out: Path, printed: StringIO | None = None) -> Tuned:
    return tune(recipe, out, console=Console(file=printed or StringIO(), width=200))


@pytest.fixture(scope="module")
def families(tmp_path_factory: pytest.TempPathFactory) -> tuple[Tuned, str]:
    """Families compared, one of which does not go with the task; and what was printed."""
    folder, printed = tmp_path_factory.mktemp("tune"), StringIO()
    recipe = spanning(folder, FAMILIES)
    return tuned(recipe, folder / "bundles" / "flowers", printed), printed.getvalue()


def test_failed_trial_is_told_and_the_others_go_on(families: tuple[Tuned, str]) -> None:
    result, printed = families

    assert [bool(trial.outcome.failure) for trial in result.trials] == [False, False, True]
    assert "linear-regression predicts numbers" in result.trials[2].outcome.failure
    assert "Trial 3 failed" in printed
    assert "1 of them failed" in printed


def test_picked_model_is_built_and_nothing_is_left_beside_it(families: tuple[Tuned, str]) -> None:
    result, _ = families

    assert result.result is not None
    assert result.picked is not None
    assert result.picked.form.score == max(point.form.score for point in result.points)
    assert [path.name for path in result.result.bundle_dir.parent.iterdir()] == ["flowers"]


def test_report_shows_all_models_and_why_one_was_picked(families: tuple[Tuned, str]) -> None:
    result, _ = families
    assert result.result is not None

    page = result.result.report.read_text()

    assert all(point.name in page for point in result.points)
    assert "Pareto front" in result.why
    assert result.why.split(":")[0] in page


def test_price_and_memory_are_those_of_whole_requests(families: tuple[Tuned, str]) -> None:
    architecture = architecture_of(platform.machine())
    for point in families[0].points:
        # Half of the requests take at least as long as the median.
        least_ms = np.array([point.form.request_p50_ms / 2])
        least = dollars_per_million(least_ms, point.form.memory_mb, architecture)
        assert point.form.dollars_per_million >= least > 1.20
        assert point.form.memory_mb >= LEAST_MB
        assert point.form.request_p50_ms > point.form.latency_p50_ms


def test_trials_are_scored_on_the_validation_set(families: tuple[Tuned, str]) -> None:
    dataset = load_dataset(families[0].points[0].recipe)

    rights = [point.form.score * len(dataset.validation) for point in families[0].points]

    np.testing.assert_allclose(rights, np.round(rights), atol=1e-6)
    assert len(dataset.validation) != len(dataset.test)


@pytest.mark.slow
def test_interrupted_search_goes_on_and_ends_in_the_same_model(tmp_path: Path) -> None:
    recipe = spanning(tmp_path, '"training.epochs" = [3]', model=NETWORK)
    out, printed = tmp_path / "flowers", StringIO()
    finished = Trials(load_dataset(recipe), tmp_path / "flowers.tuning").run(recipe)

    result = tuned(recipe, out, printed)

    assert result.trials[0].outcome == finished  # with the very same timings
    # The weights, too, are those of the trial: the build went on from the end of its training.
    assert re.search(r"\((\d+) of \1 steps from the checkpoint\)", printed.getvalue())


def test_a_search_without_any_model_says_why_the_first_trial_failed(tmp_path: Path) -> None:
    recipe = spanning(tmp_path, NO_CLASSIFIER)

    with pytest.raises(NothingToPick, match=r"No trial of 1 left a model.*predicts numbers"):
        tuned(recipe, tmp_path / "flowers")
