import json
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import Result

Run = Callable[..., Result]


def test_picture_gets_its_label(run: Run, published: str, bright_png: Path) -> None:
    result = run("predict", published, bright_png)

    head, row = result.stdout.splitlines()
    assert head.split() == ["file", "label", "probability", "version", "ms"]
    assert row.split()[:5] == [str(bright_png), "bright", "100.0", "%", "1"]


def test_json_answer_holds_the_document_and_the_time(run: Run, published: str, bright_png: Path) -> None:
    result = run("predict", published, bright_png, "--json")

    (answer,) = json.loads(result.stdout)
    assert answer["file"] == str(bright_png)
    assert answer["predictions"][0]["probabilities"] == {"dark": 0.0, "bright": 1.0}
    assert answer["elapsed_ms"] > answer["parts_ms"]["total"] > 0


def test_json_file_may_hold_several_rows(run: Run, published: str, tmp_path: Path) -> None:
    file = tmp_path / "two.json"
    file.write_text(json.dumps({"inputs": [[[[0], [0]], [[0], [0]]], [[[255], [255]], [[255], [255]]]]}))

    result = run("predict", published, file)

    assert [row.split()[1] for row in result.stdout.splitlines()[1:]] == ["dark", "bright"]


def test_model_without_labels_shows_its_tensors(run: Run, onnx_file: Path, bright_png: Path) -> None:
    run("publish", onnx_file, "--model", "tensors")

    result = run("predict", "tensors", bright_png)

    assert result.stdout.splitlines()[1].split()[1:6] == ["scores", "[1,", "2]", "0,", "1"]


def test_refusal_names_the_file_and_says_what_would_be_right(
    run: Run, published: str, tmp_path: Path
) -> None:
    file = tmp_path / "text.png"
    file.write_bytes(b"no picture")

    result = run("predict", published, file)

    assert result.exit_code == 1
    assert str(file) in result.stderr
    assert "[invalid-image]" in result.stderr


def test_unknown_model_is_named(run: Run, bright_png: Path) -> None:
    result = run("predict", "absent", bright_png)

    assert result.exit_code == 1
    assert "[model-not-found]" in result.stderr


def test_file_of_another_kind_is_not_sent(run: Run, tmp_path: Path) -> None:
    result = run("predict", "any", tmp_path / "notes.txt")

    assert result.exit_code == 1
    assert "notes.txt is none of .png, .jpg, .jpeg, .json" in result.stderr


def test_missing_file_is_named(run: Run, tmp_path: Path) -> None:
    result = run("predict", "any", tmp_path / "absent.png")

    assert result.exit_code == 1
    assert "absent.png cannot be read: no such file" in result.stderr


@pytest.mark.parametrize("model", ["", "../v2", "digits?x"])
def test_what_cannot_be_a_models_name_is_not_sent(run: Run, bright_png: Path, model: str) -> None:
    result = run("predict", model, bright_png)

    assert result.exit_code == 1
    assert "cannot be the name of a model" in result.stderr
    assert str(bright_png) not in result.stderr
