"""The shadow function on copies that the predict function wrote, without Lambda around the two."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter, sleep, time
from typing import Any
from urllib.parse import quote_plus

import msgspec
import pytest
from onnx import TensorProto, helper

from lampyris.adapters.telemetry import Telemetry
from lampyris.bootstrap import read_settings, wire_loading, wire_serving
from lampyris.domain.copies import decode_copy, encode_copy
from lampyris.domain.layout import SHADOW, SHADOWED, blob_key
from lampyris.domain.signature import Signature, TensorSpec
from lampyris.domain.store import Store
from lampyris.errors import StoreUnavailable
from lampyris.handlers.shadow import App, handle
from lampyris.http.predict_function import PredictFunction
from lampyris.registry.aliases import set_routes, set_shadow
from lampyris.registry.changes import Author
from lampyris.registry.shadows import Comparison, summarise
from lampyris.registry.versions import delete_version

NOW = datetime(2026, 1, 1, tzinfo=UTC)
ROWS = [[0.123456] * 8, [1.0] * 8]


class Context:
    aws_request_id = "req-1"

    def get_remaining_time_in_millis(self) -> int:
        return 29_000


Ask = Callable[..., None]
Run = Callable[[], dict[str, Any]]


@pytest.fixture
def lines(capsys: pytest.CaptureFixture[str]) -> Callable[[], list[dict[str, Any]]]:
    return lambda: [json.loads(line) for line in capsys.readouterr().out.splitlines()]


@pytest.fixture
def ask(store: Store, tmp_path: Path, lines: Any) -> Ask:
    """Have the live alias of a model predict until there is a copy more."""
    settings = read_settings(
        {"LAMPYRIS_BUCKET": "b", "LAMPYRIS_ALIAS_TTL_S": "0", "TMPDIR": str(tmp_path / "predict")}
    )
    serving = wire_serving(wire_loading(settings, store, clock=perf_counter))
    function = PredictFunction(serving, Telemetry("predict", now_s=time), None, init_ms=None)

    def ask_live(model: str = "glow", **body: Any) -> None:
        before = len(list(store.list(SHADOW)))
        event = {
            "rawPath": f"/models/{model}/predict",
            "headers": {"content-type": "application/json"},
            "requestContext": {"http": {"method": "POST"}},
            "body": json.dumps(body or {"inputs": ROWS}),
        }
        assert function.handle(event, Context())["statusCode"] == 200
        while len(list(store.list(SHADOW))) == before:
            sleep(0.001)
        lines()

    return ask_live


def app(store: Any, folder: Path) -> App:
    settings = read_settings({"LAMPYRIS_BUCKET": "b", "TMPDIR": str(folder)})
    serving = wire_serving(wire_loading(settings, store, clock=perf_counter))
    return App(serving=serving, telemetry=Telemetry("shadow", now_s=time), clock=perf_counter)


def message(key: str, id_: str = "m") -> dict[str, str]:
    records = [{"eventName": "ObjectCreated:Put", "s3": {"object": {"key": quote_plus(key)}}}]
    return {"messageId": id_, "body": json.dumps({"Records": records})}


def batch(store: Store) -> dict[str, Any]:
    """Make the event for all copies that there are."""
    return {"Records": [message(entry.key, f"m{number}") for number, entry in enumerate(store.list(SHADOW))]}


@pytest.fixture
def run(store: Store, tmp_path: Path) -> Run:
    """Run the shadow function on all copies that there are."""
    shadow_app = app(store, tmp_path / "shadow")
    return lambda: handle(batch(store), shadow_app, "req-2")


def shadow(store: Store, model: str = "glow") -> None:
    """Have version 1 answer, and version 2 watch."""
    set_routes(store, model, "live", {1: 100}, author=Author(key=f"{model} 1", by="a test"), now=NOW)
    set_shadow(store, model, "live", 2, author=Author(key=f"{model} 2", by="a test"), now=NOW)


def value(name: str, kind: int = TensorProto.FLOAT, shape: tuple[str, ...] = ("n",)) -> Any:
    return helper.make_tensor_value_info(name, kind, shape)


def publish_nodes(publish: Any, *nodes: Any, output: str = "y") -> None:
    """Publish a model "raw" that makes an output of a vector x."""
    graph = helper.make_graph(nodes, "g", [value("x")], [value(output)])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    signature = Signature(
        inputs=(TensorSpec(name="x", datatype="FP32", shape=(-1,)),),
        outputs=(TensorSpec(name=output, datatype="FP32", shape=(-1,)),),
    )
    publish("raw", model=model, signature=signature)


def comparisons(store: Store) -> list[Comparison]:
    return [msgspec.json.decode(store.get(entry.key).data, type=Comparison) for entry in store.list(SHADOWED)]


def test_a_shadow_that_is_the_same_agrees(
    publish_linear: Any, store: Store, ask: Ask, run: Run, lines: Any
) -> None:
    for _ in range(2):
        publish_linear(seed=1)
    shadow(store)
    ask()

    assert run() == {"batchItemFailures": []}

    (found,) = comparisons(store)
    assert (found.model, found.alias, found.answered, found.shadow) == ("glow", "live", 1, 2)
    assert (found.agrees, found.biggest_difference, found.same_class, found.code) == (True, 0.0, True, None)
    assert found.answered_ms > 0
    assert found.shadow_ms is not None
    (line,) = lines()
    assert (line["service"], line["model"], line["version"], line["ShadowRuns"]) == ("shadow", "glow", "2", 1)
    assert "ShadowDifferences" not in line


def test_a_shadow_that_answers_otherwise_is_counted_with_how_far_it_is_off(
    publish_linear: Any, store: Store, ask: Ask, run: Run, lines: Any
) -> None:
    for seed in range(2):
        publish_linear(seed=seed)
    shadow(store)
    ask()

    run()

    (found,) = comparisons(store)
    (copy,) = (decode_copy(store.get(entry.key).data) for entry in store.list(SHADOW))
    assert (found.id, found.revision, found.at) == (copy.id, copy.revision, copy.at)
    assert found.agrees is False
    assert found.biggest_difference is not None
    assert 0.01 < found.biggest_difference <= 1
    assert found.same_class is not None
    (line,) = lines()
    assert (line["ShadowRuns"], line["ShadowDifferences"]) == (1, 1)
    assert "0.123456" not in json.dumps(line)


def test_a_shadow_with_another_signature_fails_by_the_code_that_a_caller_would_have_met(
    publish_linear: Any, store: Store, ask: Ask, run: Run, lines: Any
) -> None:
    publish_linear(seed=1)
    publish_linear(seed=1, width=9)
    shadow(store)
    ask()

    assert run() == {"batchItemFailures": []}

    (found,) = comparisons(store)
    assert (found.code, found.agrees, found.shadow_ms) == ("invalid-tensor", None, None)
    (line,) = lines()
    assert (line["ShadowRuns"], line["ShadowFailures"], line["code"]) == (1, 1, "invalid-tensor")


def test_a_shadow_without_the_output_differs(publish: Any, store: Store, ask: Ask, run: Run) -> None:
    for output in ("y", "z"):
        publish_nodes(publish, helper.make_node("Identity", ["x"], [output]), output=output)
    shadow(store, "raw")
    ask("raw", inputs=[1.0, 2.0])

    run()

    (found,) = comparisons(store)
    assert (found.agrees, found.biggest_difference, found.same_class, found.code) == (False, None, None, None)


def test_a_shadow_that_cannot_be_loaded_fails(publish_linear: Any, store: Store, ask: Ask, run: Run) -> None:
    publish_linear(seed=1)
    digest = publish_linear(seed=2).artifact.graph.digest
    shadow(store)
    ask()
    store.put(blob_key(digest), bytes(store.size_bytes(blob_key(digest))))

    run()

    (found,) = comparisons(store)
    assert found.code == "artifact-damaged"


def test_a_shadow_that_is_too_slow_fails_in_the_time_that_a_caller_has(
    publish: Any, store: Store, ask: Ask, tmp_path: Path
) -> None:
    body = helper.make_graph(
        [helper.make_node("Identity", ["go"], ["go_on"]), helper.make_node("Neg", ["was"], ["is"])],
        "body",
        [value("i", TensorProto.INT64, ()), value("go", TensorProto.BOOL, ()), value("was")],
        [value("go_on", TensorProto.BOOL, ()), value("is")],
    )
    publish_nodes(publish, helper.make_node("Identity", ["x"], ["y"]))
    publish_nodes(
        publish,
        helper.make_node("Constant", [], ["times"], value_int=2**62),
        helper.make_node("Loop", ["times", "", "x"], ["y"], body=body),
    )
    shadow(store, "raw")
    ask("raw", inputs=[1.0, 2.0])
    late = msgspec.structs.replace(app(store, tmp_path / "s"), clock=lambda: perf_counter() - 28)

    assert handle(batch(store), late, "r") == {"batchItemFailures": []}

    (found,) = comparisons(store)
    assert (found.code, found.shadow_ms) == ("deadline-exceeded", None)


def test_one_that_onnxruntime_gives_up_on_fails_and_the_others_of_the_batch_go_on(
    publish: Any, publish_linear: Any, store: Store, ask: Ask, run: Run
) -> None:
    publish_nodes(publish, helper.make_node("Identity", ["x"], ["y"]))
    publish_nodes(
        publish,
        helper.make_node("Constant", [], ["shape"], value_ints=[7]),
        helper.make_node("Reshape", ["x", "shape"], ["y"]),
    )
    for _ in range(2):
        publish_linear(seed=1)
    for model in ("raw", "glow"):
        shadow(store, model)
    ask("raw", inputs=[1.0, 2.0])
    ask()

    assert run() == {"batchItemFailures": []}

    codes = {found.model: found.code for found in comparisons(store)}
    assert codes == {"raw": "inference-failed", "glow": None}


def test_a_copy_that_is_delivered_twice_is_counted_once(
    publish_linear: Any, store: Store, ask: Ask, run: Run, lines: Any
) -> None:
    for _ in range(2):
        publish_linear(seed=1)
    shadow(store)
    ask()

    run()
    run()

    assert len(lines()) == 1
    assert summarise(store, "glow", "live").requests == 1


def test_a_copy_for_a_version_that_was_deleted_or_a_copy_that_expired_is_let_be(
    publish_linear: Any, store: Store, ask: Ask, tmp_path: Path
) -> None:
    for _ in range(2):
        publish_linear(seed=1)
    shadow(store)
    ask()
    set_shadow(store, "glow", "live", None, author=Author(key="none", by="a test"), now=NOW)
    publish_linear(seed=1)
    delete_version(store, "glow", 2, author=Author(key="delete", by="a test"), now=NOW)
    event = batch(store)
    expired = message(f"{SHADOW}glow/live/1/{'0' * 32}")

    answered = handle({"Records": [*event["Records"], expired]}, app(store, tmp_path / "s"), "r")

    assert answered == {"batchItemFailures": []}
    assert comparisons(store) == []


def test_classes_are_not_compared_with_a_version_that_is_gone(
    publish_linear: Any, store: Store, ask: Ask, run: Run
) -> None:
    for _ in range(3):
        publish_linear(seed=1)
    shadow(store)
    ask()
    for number, routes in enumerate(({2: 100}, {3: 100})):
        set_routes(store, "glow", "live", routes, author=Author(key=f"to {number}", by="a test"), now=NOW)
    delete_version(store, "glow", 1, author=Author(key="delete", by="a test"), now=NOW)

    run()

    (found,) = comparisons(store)
    assert (found.agrees, found.same_class) == (True, None)


@pytest.mark.parametrize("change", ["not a copy", "a tensor of another size"])
def test_what_is_no_copy_is_logged_and_dropped(
    publish_linear: Any, store: Store, ask: Ask, run: Run, lines: Any, change: str
) -> None:
    for _ in range(2):
        publish_linear(seed=1)
    shadow(store)
    ask()
    (entry,) = store.list(SHADOW)
    copy = decode_copy(store.get(entry.key).data)
    tensor = msgspec.structs.replace(copy.inputs["features"], shape=(3, 3))
    other = encode_copy(msgspec.structs.replace(copy, inputs={"features": tensor}))
    store.put(entry.key, b"not a copy" if change == "not a copy" else other)

    assert run() == {"batchItemFailures": []}

    (line,) = lines()
    assert line["level"] == "ERROR"
    assert comparisons(store) == []


def test_what_says_nothing_of_the_shadow_comes_again(
    publish_linear: Any, store: Store, ask: Ask, tmp_path: Path
) -> None:
    class Away:
        def get_range(self, key: str, start: int, length: int) -> None:
            raise StoreUnavailable(operation=f"get {key}", cause="told to")

        def __getattr__(self, name: str) -> Any:
            return getattr(store, name)

    for _ in range(2):
        publish_linear(seed=1)
    shadow(store)
    ask()

    answered = handle(batch(store), app(Away(), tmp_path / "s"), "r")

    assert answered == {"batchItemFailures": [{"itemIdentifier": "m0"}]}
    assert comparisons(store) == []


def test_a_message_that_s3_did_not_write_comes_again_and_its_test_event_does_not(
    store: Store, tmp_path: Path, lines: Any
) -> None:
    event = {
        "Records": [
            {"messageId": "odd", "body": "{"},
            {"messageId": "test", "body": json.dumps({"Event": "s3:TestEvent"})},
            message("inbox/glow/u1/model.onnx", "elsewhere"),
        ]
    }

    answered = handle(event, app(store, tmp_path), "r")

    assert answered == {"batchItemFailures": [{"itemIdentifier": "odd"}]}


def test_importing_the_handler_needs_no_settings_and_no_images() -> None:
    code = "import sys, lampyris.handlers.shadow; print('PIL' in sys.modules, 'boto3' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={"PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        check=True,
    )

    assert done.stdout.split() == ["False", "False"]
