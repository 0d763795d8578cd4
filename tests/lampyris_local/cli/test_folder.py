"""A folder as the whole registry: what is published, moved and asked there, without any cloud."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from time import sleep

import pytest
from typer.testing import CliRunner, Result

from lampyris.adapters.folder_store import FolderStore
from lampyris_local.assets import asset
from lampyris_local.cli.commands import app
from lampyris_local.cloud.local_cloud import LocalCloud
from lampyris_local.deployment import find_deployment
from lampyris_local.parcels import keyed_upload_id

Run = Callable[..., Result]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("registry")


@pytest.fixture(scope="module")
def here(folder: Path) -> Run:
    """Run a command against the folder."""

    def run(*arguments: object) -> Result:
        return CliRunner(env={"LAMPYRIS_ENDPOINT": folder.as_uri()}).invoke(
            app, [str(each) for each in arguments]
        )

    return run


@pytest.fixture(scope="module")
def kept(here: Run, bundle: Path) -> str:
    """The name of a model with one version in the folder, from the bundle."""
    result = here("publish", bundle, "--model", "kept", "--reason", "as a start")
    assert result.exit_code == 0, result.stderr
    return "kept"


def test_bundle_is_judged_here_and_goes_live(here: Run, kept: str) -> None:
    shown = json.loads(here("aliases", "show", kept, "--json").stdout)

    assert shown["routes"] == [{"version": 1, "weight": 100}]
    assert shown["reason"] == "as a start"
    assert "@" in shown["changed_by"]


def test_inbox_is_empty_after_the_verdict(folder: Path, kept: str) -> None:
    assert list(FolderStore(folder).list("inbox/")) == []


def test_upload_that_cannot_be_sent_whole_leaves_nothing_in_the_inbox(
    here: Run, folder: Path, bundle: Path
) -> None:
    # Where the last file is to go stands a folder, so that it cannot be written.
    key = f"inbox/unsent/{keyed_upload_id('k')}/bundle.json/in-the-way"
    FolderStore(folder).put(key, b"x")

    result = here("publish", bundle, "--model", "unsent", "--idempotency-key", "k")

    assert result.exit_code == 1
    assert list(FolderStore(folder).list("inbox/unsent/")) == []


def test_publish_that_is_ended_leaves_nothing_in_the_inbox(bundle: Path, tmp_path: Path) -> None:
    store = FolderStore(tmp_path / "registry")
    command = [str(Path(sys.executable).with_name("lampyris")), "publish", str(bundle)]
    process = subprocess.Popen([*command, "--endpoint", (tmp_path / "registry").as_uri()])
    while process.poll() is None and not list(store.list("inbox/")):
        sleep(0.01)

    process.terminate()

    assert process.wait(timeout=60) == 128 + signal.SIGTERM
    assert list(store.list("inbox/")) == []


def test_same_key_publishes_once_though_the_inbox_is_empty(here: Run, bundle: Path) -> None:
    first = here("publish", bundle, "--model", "keyed-here", "--idempotency-key", "k", "--json")

    again = here("publish", bundle, "--model", "keyed-here", "--idempotency-key", "k", "--json")

    assert first.exit_code == 0, first.stderr
    assert again.stdout == first.stdout


def test_refusal_has_the_same_code_and_exit_as_in_the_cloud(here: Run, tmp_path: Path) -> None:
    file = tmp_path / "x.onnx"
    file.write_bytes(b"no model")

    result = here("publish", file, "--model", "refused")

    assert result.exit_code == 1
    assert "[not-onnx]" in result.stderr
    (rejection,) = json.loads(here("rejected", "refused", "--json").stdout)["items"]
    assert rejection["code"] == "not-onnx"


def test_prediction_is_answered_in_this_process(here: Run, kept: str, bright_png: Path) -> None:
    (answer,) = json.loads(here("predict", kept, bright_png, "--json").stdout)

    assert answer["predictions"][0]["label"] == "bright"
    assert answer["parts_ms"]["run"] > 0


def test_body_larger_than_a_function_takes_is_answered_here(here: Run, kept: str, tmp_path: Path) -> None:
    rows, scores = tmp_path / "rows.csv", tmp_path / "scores.npy"
    rows.write_text("0,0,0,0\n" * 600_000)

    result = here("predict", kept, rows, "--output", scores)

    assert result.exit_code == 0, result.stderr
    assert scores.stat().st_size > 600_000


def test_what_the_model_refuses_is_told_with_its_code(here: Run, kept: str, tmp_path: Path) -> None:
    file = tmp_path / "rows.csv"
    file.write_text("1,2\n")

    result = here("predict", kept, file)

    assert result.exit_code == 1
    assert str(file) in result.stderr
    assert "[invalid-tensor]" in result.stderr


def test_upload_by_others_needs_who_judges_it(here: Run, kept: str) -> None:
    result = here("uploads", "open", kept)

    assert result.exit_code == 1
    assert "[no-api]" in result.stderr


def test_folder_without_a_parent_is_named(tmp_path: Path) -> None:
    endpoint = (tmp_path / "absent" / "registry").as_uri()

    result = CliRunner().invoke(app, ["models", "--endpoint", endpoint])

    assert result.exit_code == 1
    assert "[not-a-folder]" in result.stderr


def test_folder_copied_into_a_bucket_is_a_registry(
    here: Run, kept: str, folder: Path, bright_png: Path
) -> None:
    with LocalCloud(asset("template.yaml")) as cloud:
        bucket = find_deployment(endpoint=cloud.api_url).store
        for path in folder.rglob("*"):
            if path.is_file() and f"{os.sep}.lampyris{os.sep}" not in str(path):
                bucket.put(path.relative_to(folder).as_posix(), path)

        answered = here("predict", kept, bright_png, "--json", "--endpoint", cloud.api_url)
        moved = here("aliases", "set", kept, 1, "--alias", "stable", "--endpoint", cloud.api_url)
        verified = here("audit", "--verify", "--endpoint", cloud.api_url)

    assert json.loads(answered.stdout)[0]["predictions"][0]["label"] == "bright"
    assert moved.exit_code == 0, moved.stderr
    assert verified.exit_code == 0, verified.stdout
