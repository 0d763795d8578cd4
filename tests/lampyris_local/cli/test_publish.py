import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import Result

from lampyris_local.caller import user_here

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


@pytest.fixture
def gated(tmp_path: Path, bundle: Path) -> Path:
    """The bundle with gates, one of which it cannot pass."""
    folder = tmp_path / "gated"
    shutil.copytree(bundle, folder)
    document = json.loads((folder / "bundle.json").read_text())
    document["gates"] = {"max_size_bytes": 100, "max_latency_p99_ms": 10_000}
    (folder / "bundle.json").write_text(json.dumps(document))
    return folder


def test_upload_to_hold_is_registered_and_live_stays(run: Run, bundle: Path) -> None:
    run("publish", bundle, "--model", "waiting")

    result = run("publish", bundle, "--model", "waiting", "--hold", "--reason", "to look at")

    assert result.exit_code == 0
    assert "waiting version 2 is held as you asked" in result.stdout
    assert "aliases split waiting 1=90 2=10" in result.stderr
    (version, _) = json.loads(run("versions", "list", "waiting", "--json").stdout)["items"]
    assert version["reason"] == "to look at"
    assert json.loads(run("aliases", "show", "waiting", "--json").stdout)["routes"][0]["version"] == 1


def test_version_that_fails_a_gate_is_held_with_exit_3_and_a_table(run: Run, gated: Path) -> None:
    result = run("publish", gated, "--model", "gated")

    assert result.exit_code == 3
    assert "gated version 1 is held by its gates" in result.stdout
    (size,) = [row.split() for row in result.stdout.splitlines() if row.startswith("max_size_bytes")]
    assert size[1:3] + size[-1:] == ["100", "B", "✗"]
    assert "aliases set gated 1" in result.stderr


def test_refusal_is_a_document_too(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "x.onnx"
    file.write_bytes(b"no model")

    result = run("publish", file, "--model", "refused", "--json")

    refusal = json.loads(result.stdout)
    assert (result.exit_code, refusal["outcome"], refusal["code"]) == (1, "refused", "not-onnx")
    assert "not an ONNX model" in refusal["detail"]


def test_same_key_publishes_once(run: Run, bundle: Path) -> None:
    first = run("publish", bundle, "--model", "keyed", "--idempotency-key", "build 17", "--json")
    again = run("publish", bundle, "--model", "keyed", "--idempotency-key", "build 17", "--json")
    other = run("publish", bundle, "--model", "keyed", "--idempotency-key", "build 17", "--hold")

    assert again.stdout == first.stdout
    assert json.loads(first.stdout)["version"] == 1
    assert "[idempotency-key-reused]" in other.stderr


def test_audit_says_who_published_in_the_local_cloud(run: Run, onnx_file: Path) -> None:
    run("publish", onnx_file, "--model", "signed-for")

    page = json.loads(run("audit", "--model", "signed-for", "--json").stdout)

    assert {entry["change"]["by"] for entry in page["items"]} == {user_here()}
