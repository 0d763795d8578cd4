import json
from collections.abc import Callable
from pathlib import Path

from typer.testing import Result

Run = Callable[..., Result]


def test_bundle_becomes_the_live_version(run: Run, bundle: Path) -> None:
    result = run("publish", bundle, "--model", "from-bundle", "--json")

    published = json.loads(result.stdout)
    assert (published["model"], published["version"], published["alias"]) == ("from-bundle", 1, "live")
    assert published["outcome"] == "live"
    assert published["metrics"]["fp32"]["accuracy"] == 0.875


def test_bundle_goes_by_its_own_name_unless_another_is_given(run: Run, bundle: Path) -> None:
    result = run("publish", bundle)

    assert result.exit_code == 0
    assert "brightness version 1 is live: " in result.stdout
    assert "accuracy 87.5 %" in result.stdout


def test_bare_model_becomes_the_next_version(run: Run, onnx_file: Path) -> None:
    run("publish", onnx_file, "--model", "bare")

    result = run("publish", onnx_file, "--model", "bare", "--json")

    assert json.loads(result.stdout)["version"] == 2


def test_refused_upload_exits_1_with_its_code_and_sentence(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "x.onnx"
    file.write_bytes(b"no model")

    result = run("publish", file, "--model", "refused")

    assert result.exit_code == 1
    assert "not an ONNX model" in result.stderr
    assert "[not-onnx]" in result.stderr
    assert result.stdout == ""


def test_no_wait_names_the_upload_and_returns(run: Run, onnx_file: Path) -> None:
    result = run("publish", onnx_file, "--model", "unwatched", "--no-wait", "--json")

    sent = json.loads(result.stdout)
    assert sent["key"] == f"inbox/unwatched/{sent['upload']}/model.onnx"


def test_impatience_says_where_to_look_later(run: Run, onnx_file: Path) -> None:
    result = run("publish", onnx_file, "--model", "impatient", "--timeout", "0")

    assert result.exit_code == 1
    assert "lampyris models impatient" in result.stderr


def test_bare_model_without_a_name_is_not_sent(run: Run, onnx_file: Path) -> None:
    result = run("publish", onnx_file)

    assert result.exit_code == 1
    assert "add --model NAME" in result.stderr


def test_name_against_the_grammar_is_not_sent(run: Run, onnx_file: Path) -> None:
    result = run("publish", onnx_file, "--model", "My Model")

    assert result.exit_code == 1
    assert "'My Model' cannot be the name of a model" in result.stderr
