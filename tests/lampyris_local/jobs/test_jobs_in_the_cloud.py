"""The main ways of jobs, from what a caller asks to what comes of it, in functions that end after seconds."""

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from lampyris_local.cli.commands import app

RECIPE = """
name = "digits"
seed = 7
[dataset]
source = "sklearn"
name = "digits"
[model]
architecture = "mlp"
hidden = [512, 512]
[training]
# More than two invocations of the hurried cloud can do.
epochs = 80
batch_size = 32
"""
ENDLESS = RECIPE.replace("[512, 512]", "[8]").replace("epochs = 80", "epochs = 100_000")


@pytest.fixture(scope="session", autouse=True)
def training(hurried: Any) -> str:
    """Begin a training that outlasts some invocations; the other tests run meanwhile."""
    name: str = hurried.submit({"kind": "train", "recipe": RECIPE}, max_attempts=20)
    return name


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory, training: str) -> Path:
    """What `lampyris build` makes of the same recipe, on one stretch."""
    folder = tmp_path_factory.mktemp("built")
    (folder / "digits.toml").write_text(RECIPE)
    result = CliRunner().invoke(app, ["build", str(folder / "digits.toml"), "--out", str(folder / "out")])
    assert result.exit_code == 0, result.output
    assert training
    return folder / "out"


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def test_file_that_is_put_is_answered_as_its_rows_are_one_by_one(hurried: Any) -> None:
    lines = [f"{row},{row % 7},{-row},0.5" for row in range(40)]
    lines[3], lines[30] = "1,2,three,4", "1,2"
    hurried.bucket.put("batch/linear/rows.csv", "\n".join(lines).encode())

    job = hurried.ended(hurried.batch_of("batch/linear/rows.csv"))

    good = [place for place in range(40) if place not in {3, 30}]
    rows = [[float(cell) for cell in lines[place].split(",")] for place in good]
    direct = hurried.call("POST", "/v1/models/linear:predict", json={"instances": rows})["predictions"]
    assert (job["state"], job["failure"]) == ("succeeded", None)
    assert hurried.answers(job) == [
        {"row": place + 1, "sums": sums} for place, sums in zip(good, direct, strict=True)
    ]
    assert [one["row"] for one in hurried.failed(job)] == [4, 31]
    assert all(one["detail"] for one in hurried.failed(job))
    assert (job["summary"]["answered_rows"], job["summary"]["failed_rows"]) == (38, 2)


def test_message_of_one_prediction_is_answered(hurried: Any) -> None:
    hurried.send("PredictionsQueue", [{"id": "order-17", "model": "linear", "inputs": [[1, 2, 3, 4]]}])

    (answer,) = hurried.until(lambda: list(hurried.bucket.list("predictions/linear/")))

    direct = hurried.predict("linear", [[1, 2, 3, 4]])
    assert answer.key == "predictions/linear/order-17.json"
    assert json.loads(bytes(hurried.bucket.get(answer.key).data)) == direct


def test_training_handed_over_ends_with_the_weights_of_an_uninterrupted_build(
    hurried: Any, training: str, built: Path
) -> None:
    job = hurried.ended(training)

    assert (job["state"], job["failure"]) == ("succeeded", None)
    upload = f"inbox/digits/{job['summary']['upload']}"
    assert job["attempts"] >= 3
    trained = bytes(hurried.bucket.get(f"{upload}/files/model.onnx").data)
    assert sha256(trained) == sha256((built / "files" / "model.onnx").read_bytes())


def test_what_a_training_made_becomes_a_version_that_answers(hurried: Any, training: str) -> None:
    hurried.ended(training)
    hurried.wait_until_live("digits")

    answer = hurried.predict("digits", np.zeros((1, 8, 8, 1), int).tolist())

    assert len(answer["predictions"]) == 1


def test_training_that_is_cancelled_stops_and_can_be_cleared_away(hurried: Any) -> None:
    job = hurried.submit({"kind": "train", "recipe": ENDLESS, "publish": "no"}, max_attempts=20)
    hurried.until(lambda: hurried.job(job)["progress"]["stage"] == "model")

    hurried.call("POST", f"/jobs/{job}/cancel")
    ended = hurried.ended(job)
    # Its worker finds out at its next sign of life.
    hurried.until(lambda: is_idle(hurried, job))
    cleared = hurried.call("DELETE", f"/jobs/{job}")

    assert ended["state"] == "cancelled"
    assert ended["attempts"] >= 1
    assert (cleared["jobs"], cleared["done"]) == (1, True)
    assert hurried.http.get(f"/jobs/{job}").status_code == 404
    assert list(hurried.bucket.list(f"jobs/{job}/")) == []


def is_idle(deployment: Any, job: str) -> bool:
    """Whether every invocation that took the job is over."""
    lines = list(deployment.lines)
    begun = {line.request_id for line in lines if "A job begins." in line.text and job in line.text}
    return begun <= {line.request_id for line in lines if line.kind == "REPORT"}
