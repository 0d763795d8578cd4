import json
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
"model.l2" = [0.1, 10.0]
"""


def asked(folder: Path, *options: str, recipe: str = RECIPE) -> Result:
    path = folder / "flowers.toml"
    path.write_text(recipe)
    return CliRunner().invoke(app, ["tune", str(path), "--out", str(folder / "bundle"), *options])


@pytest.fixture(scope="module")
def answer(tmp_path_factory: pytest.TempPathFactory) -> Result:
    return asked(tmp_path_factory.mktemp("tune"))


def test_front_and_why_one_was_picked_are_the_answer(answer: Result) -> None:
    assert answer.exit_code == 0
    assert "Pareto front" in answer.stdout
    assert "$ a million" in answer.stdout
    assert "picked" in answer.stdout
    assert "Scores are those on the 12 samples of the validation set." in answer.stdout
    assert "\x1b" not in answer.stdout


def test_document_for_scripts_holds_every_trial(tmp_path: Path) -> None:
    result = asked(tmp_path, "--json", "--trials", "1")

    told = json.loads(result.stdout)
    assert (told["model"], told["bundle"]) == ("flowers", str(tmp_path / "bundle"))
    assert [trial["number"] for trial in told["trials"]] == [1]
    assert told["picked"] in {model["name"] for model in told["models"] if model["is_on_front"]}
    assert told["prices"]["looked_up"]
    assert Path(told["report"]).is_file()


def test_nothing_good_enough_is_exit_code_1(tmp_path: Path) -> None:
    recipe = RECIPE.replace("trials = 20", "min_score = 1.0").replace("[0.1, 10.0]", "[1e5]")

    result = asked(tmp_path, recipe=recipe)

    assert result.exit_code == 1
    assert "comes nearest" in result.stdout
    assert "lower tune.min_score" in result.stderr
    assert not (tmp_path / "bundle").exists()


def test_space_that_is_missing_is_told_with_an_example(tmp_path: Path) -> None:
    result = asked(tmp_path, recipe=RECIPE.partition("[tune]")[0])

    assert result.exit_code == 1
    assert "[tune.space] is missing" in result.stderr
    assert "[invalid-recipe]" in result.stderr


@pytest.mark.slow
def test_being_killed_loses_the_trial_that_ran_alone(tmp_path: Path) -> None:
    path, out = tmp_path / "flowers.toml", tmp_path / "bundle"
    path.write_text(RECIPE)
    command = [str(Path(sys.executable).with_name("lampyris")), "tune", str(path), "--out", str(out)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = monotonic() + 120
    while not list(tmp_path.glob("bundle.tuning/*.json")) and monotonic() < deadline:
        sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    (kept,) = tmp_path.glob("bundle.tuning/*.json")
    first = json.loads(kept.read_text())

    told = json.loads(asked(tmp_path, "--json").stdout)

    assert told["trials"][0]["elapsed_s"] == first["elapsed_s"]
    assert len(told["trials"]) == 2
