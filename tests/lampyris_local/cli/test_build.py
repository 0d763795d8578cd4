import json
import signal
import subprocess
import sys
from pathlib import Path
from time import monotonic, sleep

from typer.testing import CliRunner

from lampyris_local.cli.commands import app

RECIPE = """
name = "flowers"
[dataset]
source = "sklearn"
name = "iris"
[model]
architecture = "mlp"
hidden = [8]
[training]
epochs = 2
[compression]
max_drop = 1.0
[[compression.steps]]
step = "static-int8"
"""


def test_bundle_and_figures_are_the_answer(tmp_path: Path) -> None:
    recipe, out = tmp_path / "flowers.toml", tmp_path / "bundle"
    recipe.write_text(RECIPE)

    result = CliRunner().invoke(app, ["build", str(recipe), "--out", str(out), "--json"])

    built = json.loads(result.stdout)
    assert (built["model"], built["bundle"]) == ("flowers", str(out))
    assert set(built["metrics"]) == {"fp32", "static-int8"}
    assert (out / "bundle.json").is_file()
    assert Path(built["report"]).read_text().startswith("<!DOCTYPE html>")


def test_being_stopped_says_how_to_go_on(tmp_path: Path) -> None:
    recipe, out = tmp_path / "flowers.toml", tmp_path / "bundle"
    recipe.write_text(RECIPE.replace("epochs = 2", "epochs = 100000"))
    command = [str(Path(sys.executable).with_name("lampyris")), "build", str(recipe), "--out", str(out)]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    checkpoint = out.with_name("bundle.training") / "checkpoint.safetensors"
    deadline = monotonic() + 60
    while not checkpoint.exists() and monotonic() < deadline:
        sleep(0.05)

    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)

    assert process.returncode == 130
    assert "The same command goes on from the last checkpoint" in said


def test_mistake_in_a_recipe_names_the_nearest_key(tmp_path: Path) -> None:
    recipe = tmp_path / "flowers.toml"
    recipe.write_text(RECIPE.replace("epochs", "epoch"))

    result = CliRunner().invoke(app, ["build", str(recipe)])

    assert result.exit_code == 1
    assert "did you mean 'epochs'?" in result.stderr
    assert "[invalid-recipe]" in result.stderr


def test_missing_recipe_is_named(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["build", str(tmp_path / "absent.toml")])

    assert result.exit_code == 1
    assert "absent.toml" in result.stderr


def test_missing_data_are_named(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["build", "recipes/mnist.toml", "--data", str(tmp_path / "absent")])

    assert result.exit_code == 1
    assert "[dataset-missing]" in result.stderr
