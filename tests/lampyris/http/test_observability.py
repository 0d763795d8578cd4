"""What an operator can see of a request: metrics in its line of the log, and the parts of its trace."""

import json
import socket
from collections.abc import Iterator
from pathlib import Path
from time import perf_counter, time
from typing import Any

import pytest

from lampyris.adapters.telemetry import Telemetry
from lampyris.adapters.xray import Tracer
from lampyris.bootstrap import Serving, read_settings, wire_loading, wire_serving
from lampyris.domain.layout import blob_key
from lampyris.domain.store import Store
from lampyris.errors import ArtifactDamaged, StoreUnavailable
from lampyris.http.predict_function import PredictFunction

ROWS = {"inputs": [[0.123456] * 8]}
PATH = "/models/glow/predict"


@pytest.fixture
def lines(capsys: pytest.CaptureFixture[str]) -> Any:
    """Return the lines that were logged since the last call; those that carry metrics."""

    def read() -> list[dict[str, Any]]:
        found = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
        return [line for line in found if "_aws" in line]

    return read


def event(document: Any) -> dict[str, Any]:
    return {
        "rawPath": PATH,
        "requestContext": {"http": {"method": "POST"}},
        "headers": {"content-type": "application/json"},
        "body": json.dumps(document),
    }


def metrics(line: dict[str, Any], *dimensions: str) -> set[str]:
    """Name the metrics of a line that are counted by exactly these dimensions."""
    return {
        metric["Name"]
        for directive in line["_aws"]["CloudWatchMetrics"]
        for metric in directive["Metrics"]
        if list(dimensions) in directive["Dimensions"]
    }


def test_a_prediction_is_counted_by_model_and_version(publish_linear: Any, call: Any, lines: Any) -> None:
    publish_linear()

    call("POST", PATH, ROWS)
    call("POST", PATH, ROWS)

    cold, warm = lines()
    assert metrics(warm, "service", "model", "version") == {"Requests", "Duration"}
    parts = {"ColdStart", "Init", "Load", "Fetch", "Session", "FetchedBytes"}
    assert metrics(cold, "service", "model", "version") == {"Requests", "Duration"} | parts
    assert (cold["model"], cold["version"], cold["service"]) == ("glow", "1", "predict")
    assert cold["FetchedBytes"] > 0
    assert all(isinstance(cold[name], int | float) for name in metrics(cold, "service"))


def test_a_refused_input_is_counted_by_code_and_by_the_version_it_was_for(
    publish_linear: Any, call: Any, lines: Any
) -> None:
    publish_linear()

    call("POST", PATH, {"inputs": [[1.0, 2.0]]})

    (line,) = lines()
    assert (line["code"], line["model"], line["version"]) == ("invalid-tensor", "glow", "1")
    assert metrics(line, "service", "model", "version", "code") == {"Problems"}
    assert "Duration" in metrics(line, "service", "model")


def test_a_model_that_is_not_there_makes_no_series_of_metrics(call: Any, lines: Any) -> None:
    call("POST", PATH, ROWS)

    (line,) = lines()
    assert "model" not in line
    assert metrics(line, "service", "code") == {"Problems"}


def test_a_damaged_artifact_is_counted(publish_linear: Any, call: Any, store: Store, lines: Any) -> None:
    graph = blob_key(publish_linear().artifact.graph.digest)
    data = bytearray(store.get(graph).data)
    data[len(data) // 2] ^= 1
    store.put(graph, bytes(data))

    answer = call("POST", PATH, ROWS)

    (line,) = lines()
    assert (answer.status, line["DamagedArtifacts"]) == (503, 1)
    assert "DamagedArtifacts" in metrics(line, "service", "model", "version")


def test_an_alias_that_cannot_be_read_again_is_counted_and_serves_on(
    publish_linear: Any, store: Store, tmp_path: Path, context: Any, lines: Any
) -> None:
    class Away:
        def __getattr__(self, name: str) -> Any:
            return getattr(store, name)

        def get_if_changed(self, key: str, etag: str) -> None:
            raise StoreUnavailable(operation=key, cause=etag)

    publish_linear()
    settings = read_settings({"LAMPYRIS_BUCKET": "b", "LAMPYRIS_ALIAS_TTL_S": "0", "TMPDIR": str(tmp_path)})
    away: Any = Away()
    serving = wire_serving(wire_loading(settings, away, clock=perf_counter))
    function = PredictFunction(serving, Telemetry("predict", now_s=time), None, init_ms=None)

    statuses = [function.handle(event(ROWS), context)["statusCode"] for _ in range(2)]

    fresh, stale = lines()
    assert statuses == [200, 200]
    assert "StaleAliases" not in fresh
    assert stale["StaleAliases"] == 1
    assert "StaleAliases" in metrics(stale, "service")


def test_a_damaged_artifact_is_counted_if_nobody_waited_for_it(
    publish_linear: Any, store: Store, serving: Serving, call: Any, lines: Any
) -> None:
    publish_linear()
    damaged = publish_linear("damaged", seed=1).artifact
    store.put(blob_key(damaged.graph.digest), b"x" * damaged.graph.size_bytes)
    with pytest.raises(ArtifactDamaged):  # as when it is loaded ahead
        serving.sessions.get(damaged)

    call("POST", PATH, ROWS)
    call("POST", PATH, ROWS)

    first, second = lines()
    assert (first["status"], first["DamagedArtifacts"]) == (200, 1)
    assert "DamagedArtifacts" not in second


def test_nothing_that_was_sent_is_logged(publish_linear: Any, call: Any, capsys: Any) -> None:
    publish_linear()

    call("POST", PATH, ROWS)
    call("POST", PATH, {"inputs": [["0.123456"] * 8]})

    assert "0.123456" not in capsys.readouterr().out


@pytest.fixture
def daemon() -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listening:
        listening.bind(("127.0.0.1", 0))
        listening.settimeout(5)
        yield listening


def test_a_trace_shows_the_parts_of_a_cold_start_inside_the_whole(
    publish_linear: Any, serving: Serving, context: Any, daemon: socket.socket
) -> None:
    publish_linear()
    host, port = daemon.getsockname()
    tracer = Tracer(f"{host}:{port}", trace_header=lambda: "Root=1-a-b;Parent=c;Sampled=1", now_s=time)
    function = PredictFunction(serving, Telemetry("predict", now_s=time), tracer, init_ms=None)

    function.handle(event(ROWS), context)

    document = json.loads(daemon.recv(65536).partition(b"\n")[2])
    parts = document["subsegments"]
    assert [part["name"] for part in parts] == ["resolve", "fetch", "session", "run"]
    times = [time_s for part in parts for time_s in (part["start_time"], part["end_time"])]
    assert times == sorted(times)
    assert document["start_time"] <= times[0]
    assert times[-1] <= document["end_time"]
    assert document["annotations"] == {"model": "glow", "version": "1"}
