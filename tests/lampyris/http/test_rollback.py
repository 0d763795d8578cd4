"""A rollback while predictions are under way, over HTTP."""

from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter, time
from typing import Any

import httpx
import pytest

from lampyris.adapters.telemetry import Telemetry
from lampyris.bootstrap import read_settings, wire_loading, wire_serving
from lampyris.domain.store import Store
from lampyris.http.predict_function import PredictFunction
from lampyris.registry.aliases import roll_back
from lampyris.registry.changes import Author

TTL_S = 3600.0
REQUEST = {
    "inputs": [{"name": "features", "shape": [1, 8], "datatype": "FP32", "data": [0.5, 1, -1, 0, 2, 0, 1, 3]}]
}


class MovingClock:
    """The real time, and what is added to it."""

    added_s = 0.0

    def __call__(self) -> float:
        return perf_counter() + self.added_s


@pytest.fixture
def clock() -> MovingClock:
    return MovingClock()


@pytest.fixture
def function(store: Store, tmp_path: Path, clock: MovingClock) -> PredictFunction:
    """The function that `address` serves."""
    settings = read_settings(
        {"LAMPYRIS_BUCKET": "b", "LAMPYRIS_ALIAS_TTL_S": str(TTL_S), "TMPDIR": str(tmp_path / "scratch")}
    )
    serving = wire_serving(wire_loading(settings, store, clock=clock))
    return PredictFunction(serving, Telemetry("predict", now_s=time), None, init_ms=None)


def test_a_rollback_in_the_middle_of_a_thousand_predictions(
    publish_linear: Any, store: Store, address: str, clock: MovingClock
) -> None:
    for seed in range(2):
        publish_linear(seed=seed)
    right: dict[str, Any] = {}
    answers: list[tuple[str, Any]] = []
    with httpx.Client(base_url=f"http://{address}") as client:
        for version in ("1", "2"):
            pinned = client.post(f"/v2/models/glow/versions/{version}/infer", json=REQUEST)
            right[version] = pinned.json()["outputs"]

        for number in range(1000):
            if number == 500:
                roll_back(
                    store, "glow", "live", author=Author(key="back", by="a test"), now=datetime.now(UTC)
                )
            if number == 600:
                clock.added_s += TTL_S
            response = client.post("/v2/models/glow/infer", json=REQUEST)
            assert response.status_code == 200
            assert response.json()["model_version"] == response.headers["lampyris-version"]
            answers.append((response.headers["lampyris-version"], response.json()["outputs"]))

    assert right["1"] != right["2"]
    assert [outputs for _, outputs in answers] == [right[version] for version, _ in answers]
    assert [version for version, _ in answers] == ["2"] * 600 + ["1"] * 400
