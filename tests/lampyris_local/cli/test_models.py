import json
from collections.abc import Callable
from pathlib import Path

from typer.testing import Result

Run = Callable[..., Result]


def test_every_model_is_listed_with_its_live_version(run: Run, bundle: Path) -> None:
    run("publish", bundle, "--model", "listed")
    run("publish", bundle, "--model", "listed")

    page = json.loads(run("models", "--json").stdout)

    (model,) = [each for each in page["items"] if each["model"] == "listed"]
    assert (model["live"]["version"], model["live"]["metrics"]["fp32"]["accuracy"]) == (2, 0.875)


def test_list_is_a_plain_table_in_a_pipe(run: Run, published: str) -> None:
    result = run("models")

    head, *rows = result.stdout.splitlines()
    assert head.split() == ["model", "live", "size", "accuracy", "p99", "created"]
    assert any(row.split()[:2] == [published, "1"] for row in rows)
    assert "\x1b" not in result.stdout


def test_one_model_shows_versions_aliases_and_refusals(run: Run, bundle: Path, tmp_path: Path) -> None:
    broken = tmp_path / "x.onnx"
    broken.write_bytes(b"no model")
    run("publish", bundle, "--model", "shown")
    run("publish", broken, "--model", "shown")

    result = run("models", "shown", "--json")

    shown = json.loads(result.stdout)
    assert [version["version"] for version in shown["versions"]] == [1]
    assert [(alias["alias"], alias["routes"]) for alias in shown["aliases"]] == [
        ("live", [{"version": 1, "weight": 100}])
    ]
    assert [rejection["code"] for rejection in shown["rejected"]] == ["not-onnx"]


def test_model_with_nothing_but_refusals_shows_them(run: Run, tmp_path: Path) -> None:
    broken = tmp_path / "x.onnx"
    broken.write_bytes(b"no model")
    run("publish", broken, "--model", "hopeless")

    result = run("models", "hopeless")

    assert "not-onnx" in result.stdout
    assert "not an ONNX model" in result.stdout


def test_unknown_model_is_named(run: Run) -> None:
    result = run("models", "absent")

    assert result.exit_code == 1
    assert "There is no model 'absent'" in result.stderr
    assert "[model-not-found]" in result.stderr
