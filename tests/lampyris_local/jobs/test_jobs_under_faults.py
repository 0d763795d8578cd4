"""Jobs of all kinds while workers die, calls are refused, and messages come late, twice and out of order.

    pytest -m slow tests/lampyris_local/jobs/test_jobs_under_faults.py

A job whose worker died goes on a lease later, so this takes minutes.
"""

import json
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from lampyris_build.pipeline import build
from lampyris_build.recipe import read_recipe
from lampyris_local.cloud.faults import Faults

pytestmark = pytest.mark.slow

RECIPE = """
name = "digits"
seed = 5
[dataset]
source = "sklearn"
name = "digits"
[model]
architecture = "mlp"
hidden = [64]
[training]
epochs = 40
batch_size = 32
"""
ROWS = 60
PREDICTIONS = 40
LIMIT_S = 600
PREDICTING = "PredictionsFunction"


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The model that the recipe makes where nothing happens."""
    built = build(
        read_recipe(RECIPE, "here"), tmp_path_factory.mktemp("built") / "digits", console=Console(quiet=True)
    )
    return Path(built.bundle_dir, "files", "model.onnx").read_bytes()


def answers_at(cloud: Any) -> list[str]:
    """Name the answers; beside them stand notes about messages that came again."""
    keys = (one.key for one in cloud.bucket.list("predictions/linear/"))
    return [key for key in keys if key.endswith(".json")]


@pytest.mark.parametrize("seed", [3])
def test_all_jobs_end_right_whatever_befalls_them(deployed: Any, weights: bytes, seed: int) -> None:
    faults = Faults(kill=0.15, delay=0.15, duplicate=0.3, reorder=0.3, throttle=0.03, seed=seed)
    rows = [[row, row % 7, -row, 0.5] for row in range(ROWS)]
    text = "\n".join(",".join(map(str, row)) for row in rows)
    messages = [
        {"id": f"n{number}", "model": "linear", "inputs": [rows[number]]} for number in range(PREDICTIONS)
    ]

    with deployed(faults=faults, time_limit_s=30) as cloud:
        cloud.publish_linear("linear")
        training = cloud.submit({"kind": "train", "recipe": RECIPE}, key="training", max_attempts=20)
        cloud.bucket.put("data/rows.csv", text.encode())
        batch = {"kind": "batch", "model": "linear", "input": "data/rows.csv", "shard_rows": 10}
        batches = [cloud.submit(batch, key=key) for key in ("batch", "batch", "another")]
        cloud.send("PredictionsQueue", messages)

        ended = [cloud.ended(name, LIMIT_S) for name in batches]
        answered = cloud.until(
            lambda: keys if len(keys := answers_at(cloud)) >= PREDICTIONS else None, LIMIT_S
        )
        trained = cloud.ended(training, LIMIT_S)
        cloud.wait_until_live("digits")
        direct = cloud.call("POST", "/v1/models/linear:predict", json={"instances": rows})["predictions"]

        assert batches[0] == batches[1]
        assert len(cloud.call("GET", "/jobs")["items"]) == 3
        for job in ended:
            assert (job["state"], job["failure"]) == ("succeeded", None), cloud.faults_and_errors()
            assert cloud.answers(job) == [
                {"row": number + 1, "sums": sums} for number, sums in enumerate(direct)
            ]
        lost = 0
        for number in range(PREDICTIONS):
            answer = json.loads(bytes(cloud.bucket.get(f"predictions/linear/n{number}.json").data))
            if answer.get("code") == "worker-lost":
                lost += 1
            else:
                assert answer["outputs"][0]["data"] == direct[number], answer
        # A message that came again and was run alone when the function was killed is not run once more.
        assert lost <= sum(line.function == PREDICTING and "killed" in line.text for line in cloud.lines)
        assert len(answered) == PREDICTIONS
        assert (trained["state"], trained["failure"]) == ("succeeded", None), cloud.faults_and_errors()
        upload = f"inbox/digits/{trained['summary']['upload']}"
        assert bytes(cloud.bucket.get(f"{upload}/files/model.onnx").data) == weights
        assert cloud.call("GET", "/models/digits/versions")["items"][0]["version"] == 1
        assert {line.function for line in cloud.lines if line.kind == "FAULT"}
