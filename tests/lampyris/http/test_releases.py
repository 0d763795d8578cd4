"""What callers see of releases, in every protocol: one version answers, and says that it did."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from threading import Event
from time import perf_counter, sleep, time
from typing import Any

import numpy as np
import pytest

from lampyris.adapters.telemetry import Telemetry
from lampyris.bootstrap import Serving, read_settings, wire_loading, wire_serving
from lampyris.domain.copies import Copy, arrays_of, decode_copy
from lampyris.domain.layout import SHADOW, alias_key, blob_key
from lampyris.domain.manifest import Manifest
from lampyris.domain.store import Store
from lampyris.domain.traffic import position
from lampyris.errors import StoreUnavailable
from lampyris.http.predict_function import PredictFunction
from lampyris.registry.aliases import set_routes, set_shadow
from lampyris.registry.changes import Author
from lampyris.registry.versions import delete_version

NOW = datetime(2026, 1, 1, tzinfo=UTC)
ROWS = [[0.123456] * 8, [0.0] * 8]
TENSOR = {"name": "features", "shape": [2, 8], "datatype": "FP32", "data": ROWS}
# For each protocol a request that a model answers.
GOOD: dict[str, Any] = {
    "/v2/models/glow/infer": {"inputs": [TENSOR]},
    "/models/glow/predict": {"inputs": ROWS},
    "/v1/models/glow:predict": {"instances": ROWS},
    "/v1/models/glow:classify": {"examples": [{"features": ROWS[0]}]},
}
# And one that is wrong for it.
BAD: dict[str, Any] = {
    "/v2/models/glow/infer": {"inputs": [TENSOR | {"shape": [16], "data": [1] * 16}]},
    "/models/glow/predict": {"inputs": [[1.0]]},
    "/v1/models/glow:predict": {"instances": [[1.0]]},
    "/v1/models/glow:classify": {"examples": [{"features": [1.0]}]},
}


def author(key: str) -> Author:
    return Author(key=key, by="a test")


def split(store: Store, canary: int) -> None:
    routes = {1: 100 - canary, 2: canary}
    set_routes(store, "glow", "live", routes, author=author(f"split {canary}"), now=NOW)


@pytest.fixture
def versions(publish_linear: Any) -> list[Manifest]:
    return [publish_linear(seed=seed) for seed in range(2)]


@pytest.fixture
def lines(capsys: pytest.CaptureFixture[str]) -> Callable[[], list[dict[str, Any]]]:
    return lambda: [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def sticky(key: object) -> dict[str, str]:
    return {"Lampyris-Sticky-Key": str(key)}


@pytest.mark.parametrize("path", GOOD)
def test_every_answer_names_the_version_that_made_it(versions: Any, call: Any, path: str) -> None:
    first = call("POST", path.replace("glow", "glow/versions/1", 1), GOOD[path])
    live = call("POST", path, GOOD[path])

    assert (first.status, live.status) == (200, 200)
    assert (first.headers["lampyris-model"], first.headers["lampyris-version"]) == ("glow", "1")
    assert (live.headers["lampyris-model"], live.headers["lampyris-version"]) == ("glow", "2")
    assert first.body != live.body


@pytest.mark.parametrize("path", BAD)
def test_a_problem_names_the_version_that_refused(versions: Any, call: Any, path: str) -> None:
    answer = call("POST", path, BAD[path])

    assert 400 <= answer.status < 500
    assert answer.headers["lampyris-version"] == "2"


def test_where_no_version_was_found_none_is_named(call: Any) -> None:
    answer = call("POST", "/models/glow/predict", {"inputs": ROWS})

    assert answer.status == 404
    assert "lampyris-version" not in answer.headers


@pytest.mark.parametrize("accept", ["text/csv", "application/x-ndjson", "application/x-npy"])
def test_answers_that_are_no_json_name_their_version_too(versions: Any, call: Any, accept: str) -> None:
    answer = call("POST", "/models/glow/predict", {"inputs": ROWS}, headers={"accept": accept})

    assert (answer.status, answer.headers["lampyris-version"]) == (200, "2")


def test_the_protocols_own_version_is_the_one_that_answered(versions: Any, call: Any, store: Store) -> None:
    split(store, 50)

    answers = [call("POST", "/v2/models/glow/infer", {"inputs": [TENSOR]}) for _ in range(40)]

    assert {answer.headers["lampyris-version"] for answer in answers} == {"1", "2"}
    for answer in answers:
        assert answer.document["model_version"] == answer.headers["lampyris-version"]


@pytest.mark.parametrize("path", GOOD)
def test_a_sticky_key_decides_in_every_protocol(versions: Any, call: Any, store: Store, path: str) -> None:
    split(store, 50)

    def ask(protocol: str, key: int) -> str:
        version: str = call("POST", protocol, GOOD[protocol], headers=sticky(key)).headers["lampyris-version"]
        return version

    found = [ask(path, key) for key in range(20)]

    assert set(found) == {"1", "2"}
    assert found == [ask("/v2/models/glow/infer", key) for key in range(20)]


def test_questions_about_a_model_are_answered_for_the_stable_version(
    versions: Any, call: Any, store: Store
) -> None:
    split(store, 99)

    for path in ("/v2/models/glow", "/v2/models/glow/ready", "/v1/models/glow/metadata"):
        assert call("GET", path, headers=sticky(1)).headers["lampyris-version"] == "1"


@pytest.mark.parametrize("path", GOOD)
def test_the_stable_version_answers_for_a_canary_that_cannot_be_loaded(
    versions: Any, call: Any, store: Store, lines: Any, path: str
) -> None:
    right = call("POST", path.replace("glow", "glow/versions/1", 1), GOOD[path])
    split(store, 99)
    store.delete(blob_key(versions[1].artifact.graph.digest))
    lines()

    answers = [call("POST", path, GOOD[path], headers=sticky(key)) for key in range(8)]

    assert {(answer.status, answer.body) for answer in answers} == {(200, right.body)}
    assert {answer.headers["lampyris-version"] for answer in answers} == {"1"}
    logged = lines()
    fallbacks = [line for line in logged if "CanaryFallbacks" in line]
    errors = [line for line in logged if line.get("level") == "ERROR"]
    requests = [line for line in logged if "Requests" in line]
    assert len(fallbacks) > 5
    assert {(line["model"], line["version"]) for line in fallbacks} == {("glow", "2")}
    assert [line["code"] for line in fallbacks] == ["object-not-found"] + [None] * (len(fallbacks) - 1)
    assert [error["exception_name"] for error in errors] == ["ObjectNotFound"]
    assert {line["version"] for line in requests} == {"1"}
    directive = fallbacks[0]["_aws"]["CloudWatchMetrics"][0]
    assert ["service", "model", "version"] in directive["Dimensions"]
    assert directive["Metrics"] == [{"Name": "CanaryFallbacks", "Unit": "Count"}]


def test_inputs_are_checked_against_the_version_that_answers(
    publish_linear: Any, call: Any, store: Store, serving: Serving
) -> None:
    publish_linear(seed=0)
    wide = publish_linear(seed=1, width=9)
    split(store, 99)
    eight, nine = {"inputs": [[1.0] * 8]}, {"inputs": [[1.0] * 9]}
    canary = sticky(
        next(
            key
            for key in range(100)
            if call("POST", "/models/glow/predict", nine, headers=sticky(key)).status == 200
        )
    )
    before = call("POST", "/models/glow/predict", eight, headers=canary)
    store.delete(blob_key(wide.artifact.graph.digest))
    serving.sessions.drop()

    after = call("POST", "/models/glow/predict", eight, headers=canary)

    assert (before.status, before.headers["lampyris-version"]) == (422, "2")
    assert (after.status, after.headers["lampyris-version"]) == (200, "1")


def test_the_cold_start_of_a_canary_is_told(versions: Any, call: Any, store: Store, lines: Any) -> None:
    split(store, 99)
    key = next(key for key in range(100) if position("glow", "live", str(key)) > 0.5)

    cold, warm = (call("POST", "/models/glow/predict", {"inputs": ROWS}, headers=sticky(key)) for _ in "12")

    assert "fetch;dur=" in cold.headers["server-timing"]
    assert "fetch" not in warm.headers["server-timing"]
    assert [line.get("Load") for line in lines()] == [1, None]


@pytest.fixture
def three_versions(publish_linear: Any) -> None:
    for seed in range(3):
        publish_linear(seed=seed)


def test_deleted_versions_are_listed_nowhere_and_are_gone(
    three_versions: None, call: Any, store: Store
) -> None:
    delete_version(store, "glow", 1, author=author("delete"), now=NOW)

    gone = call("POST", "/models/glow/versions/1/predict", {"inputs": ROWS})

    assert call("GET", "/v2/models/glow").document["versions"] == ["2", "3"]
    index = call("POST", "/v2/repository/index").document
    assert [(line["name"], line["version"]) for line in index] == [("glow", "2"), ("glow", "3")]
    status = call("GET", "/v1/models/glow").document["model_version_status"]
    assert [line["version"] for line in status] == ["3", "2"]
    assert (gone.status, gone.document["code"]) == (410, "version-deleted")
    assert call("GET", "/v1/models/glow/versions/1").status == 410


class MovingClock:
    """The real time, and what is added to it."""

    added_s = 0.0

    def __call__(self) -> float:
        return perf_counter() + self.added_s


@pytest.fixture
def clock() -> MovingClock:
    return MovingClock()


TTL_S = 3600.0
_running = count()


@pytest.fixture
def start(tmp_path: Path, context: Any, clock: MovingClock) -> Callable[..., Callable[..., Any]]:
    """Start an environment on a store; return a way to ask it."""

    def start_environment(store: Any) -> Callable[..., Any]:
        settings = read_settings(
            {
                "LAMPYRIS_BUCKET": "unused",
                "LAMPYRIS_ALIAS_TTL_S": str(TTL_S),
                "TMPDIR": str(tmp_path / str(next(_running))),
            }
        )
        serving = wire_serving(wire_loading(settings, store, clock=clock))
        function = PredictFunction(serving, Telemetry("predict", now_s=time), None, init_ms=None)

        def ask(path: str, document: Any, **headers: str) -> Any:
            event = {
                "rawPath": path,
                "headers": {"content-type": "application/json", **headers},
                "requestContext": {"http": {"method": "POST"}},
                "body": json.dumps(document),
            }
            return function.handle(event, context)

        return ask

    return start_environment


def test_a_warm_environment_stops_serving_what_was_deleted_or_erased(
    three_versions: None, store: Store, start: Any, clock: MovingClock
) -> None:
    ask = start(store)
    paths = ("/models/glow/versions/1/predict", "/models/glow/predict")
    before = [ask(path, {"inputs": ROWS})["statusCode"] for path in paths]
    delete_version(store, "glow", 1, author=author("delete"), now=NOW)
    store.delete(alias_key("glow", "live"))

    trusted = [ask(path, {"inputs": ROWS})["statusCode"] for path in paths]
    clock.added_s += TTL_S
    noticed = [ask(path, {"inputs": ROWS})["statusCode"] for path in paths]

    assert (before, trusted, noticed) == ([200, 200], [200, 200], [410, 404])


def shadow(store: Store, share: int = 100) -> None:
    """Have version 1 answer, and version 2 watch."""
    set_routes(store, "glow", "live", {1: 100}, author=author("stable"), now=NOW)
    set_shadow(store, "glow", "live", 2, share=share, author=author("shadow"), now=NOW)


class Bucket:
    """A store whose writes of copies do what they are told."""

    def __init__(self, store: Store, put: Callable[[str, bytes], None]) -> None:
        self._store = store
        self.put = put

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)


def copies(store: Store, number: int) -> list[Copy]:
    """Wait for so many copies."""
    for _ in range(10_000):
        keys = [entry.key for entry in store.list(SHADOW)]
        if len(keys) >= number:
            return [decode_copy(store.get(key).data) for key in keys]
        sleep(0.001)
    pytest.fail(f"There are {len(keys)} copies, not {number}.")


def without_time(response: Any) -> Any:
    return {**response, "headers": response["headers"] | {"server-timing": ""}}


@pytest.mark.parametrize("path", GOOD)
@pytest.mark.parametrize("fault", ["none", "blocks for ever", "away", "no memory", "its blobs are gone"])
def test_a_shadow_changes_no_byte_of_an_answer_whatever_becomes_of_the_copy(
    versions: list[Manifest], store: Store, start: Any, path: str, fault: str
) -> None:
    for_ever = Event()

    def put(key: str, data: bytes) -> None:
        if fault == "blocks for ever":
            for_ever.wait()
        if fault == "away":
            raise StoreUnavailable(operation=f"put {key}", cause="told to")
        if fault == "no memory":
            raise MemoryError
        store.put(key, data)

    shadow(store)
    set_shadow(store, "glow", "live", None, author=author("none"), now=NOW)
    right = [start(store)(path, document) for document in (GOOD[path], BAD[path])]
    set_shadow(store, "glow", "live", 2, author=author("again"), now=NOW)
    if fault == "its blobs are gone":
        store.delete(blob_key(versions[1].artifact.graph.digest))
    ask = start(Bucket(store, put))

    found = [ask(path, document) for document in (GOOD[path], BAD[path]) * 20]

    assert [without_time(response) for response in found] == [without_time(each) for each in right] * 20
    for_ever.set()


def test_the_shadow_gets_what_was_asked_and_answered(versions: Any, store: Store, start: Any) -> None:
    shadow(store)

    response = start(store)("/v2/models/glow/infer", GOOD["/v2/models/glow/infer"])

    (copy,) = copies(store, 1)
    answered = np.reshape(json.loads(response["body"])["outputs"][0]["data"], (2, 3))
    assert (copy.answered, copy.shadow) == (1, 2)
    np.testing.assert_array_equal(arrays_of(copy.inputs)["features"], np.array(ROWS, np.float32))
    np.testing.assert_allclose(arrays_of(copy.outputs)["p"], answered)


def test_requests_that_fail_or_name_a_version_are_not_copied(
    versions: Any, store: Store, start: Any, lines: Any
) -> None:
    shadow(store)
    ask = start(store)

    ask("/models/glow/predict", BAD["/models/glow/predict"])
    ask("/models/glow/versions/1/predict", {"inputs": ROWS})
    ask("/models/glow/predict", {"inputs": [[2.0] * 8]})

    (copy,) = copies(store, 1)
    assert arrays_of(copy.inputs)["features"].max() == 2.0


def test_copies_that_are_lost_are_counted_and_nothing_that_was_sent_is_logged(
    versions: Any, store: Store, start: Any, lines: Any
) -> None:
    def put(key: str, data: bytes) -> None:
        raise StoreUnavailable(operation=f"put {key}", cause="told to")

    shadow(store)
    ask = start(Bucket(store, put))
    lines()

    dropped = 0
    for _ in range(1000):  # they are counted once the thread that writes has failed
        ask("/models/glow/predict", {"inputs": ROWS})
        logged = lines()
        dropped += sum(line.get("ShadowDropped", 0) for line in logged)
        assert "0.123456" not in json.dumps(logged)
        if dropped >= 3:
            break

    assert dropped >= 3
