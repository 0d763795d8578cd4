import json
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from time import monotonic, sleep

import pytest
from typer.testing import CliRunner, Result

from lampyris_local.cli.commands import app

RECIPE = """
name = "flowers"
[dataset]
source = "sklearn"
name = "iris"
[model]
architecture = "logistic-regression"
[tune]
trials = 20
[tune.space]
"model.l2" = [1e5]
"""


def asked(folder: Path, *options: str, recipe: str = RECIPE) -> Result:
    path = folder / "flowers.toml"
    path.write_text(recipe)
    return CliRunner().invoke(app, ["tune", str(path), "--out", str(folder / "bundle"), *options])


@pytest.fixture(scope="module")
def picky(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Result]:
    """A search that picks nothing, and leaves beside the bundle what its trial came to."""
    folder = tmp_path_factory.mktemp("tune")
    return folder, asked(folder, recipe=RECIPE.replace("trials = 20", "min_score = 1.0"))


@pytest.fixture
def begun(picky: tuple[Path, Result], tmp_path: Path) -> Path:
    """A folder in which the trial is over already."""
    return shutil.copytree(picky[0], tmp_path / "begun")


def test_nothing_good_enough_is_exit_code_1(picky: tuple[Path, Result]) -> None:
    folder, answer = picky

    assert answer.exit_code == 1
    assert "comes nearest" in answer.stdout
    assert "lower tune.min_score" in answer.stderr
    assert not (folder / "bundle").exists()


def test_front_and_why_one_was_picked_are_the_answer(begun: Path) -> None:
    answer = asked(begun)

    assert answer.exit_code == 0
    assert "Pareto front" in answer.stdout
    assert "$ a million" in answer.stdout
    assert "picked" in answer.stdout
    assert "Scores are those on the 12 samples of the validation set." in answer.stdout
    assert "\x1b" not in answer.stdout


def test_document_for_scripts_holds_every_trial(begun: Path) -> None:
    (kept,) = begun.glob("bundle.tuning/*.json")
    elapsed_s = json.loads(kept.read_text())["elapsed_s"]

    told = json.loads(asked(begun, "--json").stdout)

    assert (told["model"], told["bundle"]) == ("flowers", str(begun / "bundle"))
    assert [trial["number"] for trial in told["trials"]] == [1]
    assert told["trials"][0]["elapsed_s"] == elapsed_s  # it was not made again
    assert told["picked"] in {model["name"] for model in told["models"] if model["is_on_front"]}
    assert told["prices"]["looked_up"]
    assert Path(told["report"]).is_file()


def test_space_that_is_missing_is_told_with_an_example(tmp_path: Path) -> None:
    result = asked(tmp_path, recipe=RECIPE.partition("[tune]")[0])

    assert result.exit_code == 1
    assert "[tune.space] is missing" in result.stderr
    assert "[invalid-recipe]" in result.stderr


def test_modules_are_looked_for_beside_the_recipe(tmp_path: Path) -> None:
    (tmp_path / "beside_a_recipe.py").write_text("1 / 0")
    own = 'architecture = "sklearn"\nestimator = "beside_a_recipe:regression"\narguments = { c = 1.0 }'
    recipe = RECIPE.replace('architecture = "logistic-regression"', own).replace("l2", "arguments.c")

    answer = asked(tmp_path, recipe=recipe)

    assert "fails to import: ZeroDivisionError" in answer.stderr


@pytest.mark.slow
def test_being_killed_loses_the_trial_that_ran_alone(tmp_path: Path) -> None:
    path, out = tmp_path / "flowers.toml", tmp_path / "bundle"
    recipe = RECIPE.replace("[1e5]", "[1e5, 10.0]")
    path.write_text(recipe)
    command = [str(Path(sys.executable).with_name("lampyris")), "tune", str(path), "--out", str(out)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = monotonic() + 600
    while not list(tmp_path.glob("bundle.tuning/*.json")) and monotonic() < deadline:
        sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    (kept,) = tmp_path.glob("bundle.tuning/*.json")
    first = json.loads(kept.read_text())

    told = json.loads(asked(tmp_path, "--json", recipe=recipe).stdout)

    assert told["trials"][0]["elapsed_s"] == first["elapsed_s"]
    assert len(told["trials"]) == 2
