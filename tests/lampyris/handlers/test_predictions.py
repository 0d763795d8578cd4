"""Messages of one prediction each, as SQS hands them over."""

import json
from collections.abc import Callable, Iterator, Mapping
from itertools import cycle
from pathlib import Path
from time import perf_counter
from typing import Any

import msgspec
import numpy as np
import pytest

from lampyris.adapters.telemetry import Telemetry
from lampyris.bootstrap import Serving, read_settings, wire_loading, wire_serving
from lampyris.domain.store import Store
from lampyris.errors import ObjectNotFound, QueueUnavailable, StoreUnavailable
from lampyris.handlers.predictions import App, handle
from lampyris.jobs.wake_ups import QueueName
from lampyris.serving.infer import Inference

ROW = [0.5] * 8
FIFO = "arn:aws:sqs:eu-central-1:1:ordered.fifo"
STANDARD = "arn:aws:sqs:eu-central-1:1:predictions"


class Context:
    aws_request_id = "req-1"

    def get_remaining_time_in_millis(self) -> int:
        return 60_000


class Runs:
    """Counts the runs of `inference`, and how many rows each had; a run with `deadly` among its rows dies."""

    def __init__(self, inference: Inference) -> None:
        self._inference = inference
        self.rows: list[int] = []
        self.deadly: float | None = None

    def run(self, manifest: Any, inputs: Any, **others: Any) -> Any:
        values = next(iter(inputs.values()))
        self.rows.append(len(values))
        if self.deadly is not None and (values == self.deadly).any():
            raise KeyboardInterrupt
        return self._inference.run(manifest, inputs, **others)


@pytest.fixture
def serving(store: Store, tmp_path: Path) -> Serving:
    environ = {"LAMPYRIS_BUCKET": "unused", "TMPDIR": str(tmp_path / "scratch")}
    return wire_serving(wire_loading(read_settings(environ), store, clock=perf_counter))


@pytest.fixture
def runs(serving: Serving) -> Runs:
    return Runs(serving.inference)


class Queue:
    """Notes what is put off, and until when."""

    def __init__(self) -> None:
        self.put_off: list[tuple[QueueName, str, int]] = []
        self.is_away = False

    def __call__(self, queue: QueueName, receipt: str, *, delay_s: int) -> None:
        if self.is_away:
            raise QueueUnavailable(operation="put off", cause="a test")
        self.put_off.append((queue, receipt, delay_s))


@pytest.fixture
def queue() -> Queue:
    return Queue()


@pytest.fixture
def app(serving: Serving, runs: Runs, queue: Queue) -> App:
    counted = msgspec.structs.replace(serving, inference=runs)
    draws = cycle((0.5, 0.9))
    return App(
        serving=counted,
        telemetry=Telemetry("predictions", now_s=lambda: 0.0),
        put_off=queue,
        draw=lambda: next(draws),
    )


def record(
    number: int, body: Any, *, received: int = 1, source: str = STANDARD, group: str | None = None
) -> dict[str, Any]:
    attributes = {"ApproximateReceiveCount": str(received)} | ({"MessageGroupId": group} if group else {})
    text = body if isinstance(body, str) else json.dumps(body)
    return {
        "messageId": f"m{number}",
        "receiptHandle": f"r{number}",
        "body": text,
        "attributes": attributes,
        "eventSourceARN": source,
    }


def asked(number: int, **others: Any) -> dict[str, Any]:
    return {"id": f"p{number}", "model": "glow", "inputs": [ROW], **others}


def answer(store: Store, name: str, model: str = "glow") -> Any:
    return json.loads(store.get(f"predictions/{model}/{name}.json").data)


def failures(found: dict[str, Any]) -> list[str]:
    return [one["itemIdentifier"] for one in found["batchItemFailures"]]


def test_messages_for_one_version_make_one_run_and_an_answer_each(
    app: App, runs: Runs, store: Store, publish_linear: Callable[..., Any]
) -> None:
    publish_linear()
    records = [record(number, asked(number, inputs=[[number / 10] * 8])) for number in range(10)]

    found = handle({"Records": records}, app, Context())

    assert failures(found) == []
    assert runs.rows == [10]
    for number in range(10):
        (prediction,) = answer(store, f"p{number}")["predictions"]
        values = np.full((1, 8), number / 10, np.float32)
        manifest = app.serving.resolver.resolve("glow")
        expected = runs.run(manifest, {"features": values}, deadline_s=float("inf")).outputs["p"][0]
        assert list(prediction["probabilities"].values()) == pytest.approx(expected.tolist(), rel=1e-5)


def test_message_that_is_delivered_again_has_one_answer(
    app: App, store: Store, publish_linear: Callable[..., Any]
) -> None:
    publish_linear()
    handle({"Records": [record(0, asked(0))]}, app, Context())
    etag = store.get("predictions/glow/p0.json").etag

    again = handle({"Records": [record(0, asked(0)), record(0, asked(0), received=2)]}, app, Context())

    assert failures(again) == []
    assert store.get("predictions/glow/p0.json").etag == etag


def test_what_is_wrong_with_a_message_is_its_answer(
    app: App, store: Store, publish_linear: Callable[..., Any]
) -> None:
    publish_linear()
    records = [
        record(0, asked(0, inputs=[[1.0, 2.0]])),
        record(1, asked(1, model="none")),
        record(2, "no JSON"),
        record(3, asked(3, what=1)),
        record(4, {"id": "../x", "model": "glow", "inputs": [ROW]}),
        record(5, asked(5)),
        record(6, {"id": "p6", "model": "glow", "instances": [ROW, ROW]}),
        record(7, {"id": "p7", "model": "glow"}),
    ]

    found = handle({"Records": records}, app, Context())

    assert failures(found) == []
    assert answer(store, "p0")["code"] == "invalid-tensor"
    assert answer(store, "p1", "none")["code"] == "model-not-found"
    assert answer(store, "m2", "-")["code"] == "malformed-request"
    assert answer(store, "p3")["code"] == "malformed-request"
    assert answer(store, "m4", "-")["code"] == "invalid-name"
    assert len(answer(store, "p5")["predictions"]) == 1
    assert len(answer(store, "p6")["predictions"]) == 2
    assert "inputs, or instances" in answer(store, "p7")["detail"]


class Away:
    """A store that cannot create some keys."""

    def __init__(self, store: Store, *keys: str) -> None:
        self._store = store
        self._keys = keys

    def create(self, key: str, data: bytes, headers: Mapping[str, str] | None = None) -> None:
        if key in self._keys:
            raise StoreUnavailable(operation="put", cause="a test")
        self._store.create(key, data, headers)


def without(app: App, store: Store, *keys: str) -> App:
    """Return the function as it is while its store cannot create some keys."""
    return msgspec.structs.replace(
        app, serving=msgspec.structs.replace(app.serving, store=Away(store, *keys))
    )


class Noting:
    """A store that notes as what objects are created."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.types: dict[str, str] = {}

    def create(self, key: str, data: bytes, headers: Mapping[str, str]) -> None:
        self._store.create(key, data, headers)
        self.types[key] = headers["content-type"]


def test_answers_say_of_which_type_they_are(
    app: App, store: Store, publish_linear: Callable[..., Any]
) -> None:
    publish_linear()
    noting = Noting(store)
    app = msgspec.structs.replace(app, serving=msgspec.structs.replace(app.serving, store=noting))

    handle({"Records": [record(0, asked(0)), record(1, asked(1, inputs=[[1]]))]}, app, Context())

    assert noting.types == {
        "predictions/glow/p0.json": "application/json",
        "predictions/glow/p1.json": "application/problem+json",
    }


def test_what_may_work_later_comes_again_and_only_that(
    app: App, store: Store, publish_linear: Callable[..., Any]
) -> None:
    publish_linear()
    app = without(app, store, "predictions/glow/p1.json")

    found = handle({"Records": [record(number, asked(number)) for number in range(3)]}, app, Context())

    assert failures(found) == ["m1"]
    assert answer(store, "p0")["model"] == answer(store, "p2")["model"] == "glow"


def test_in_order_nothing_is_answered_before_what_came_first(
    app: App, store: Store, publish_linear: Callable[..., Any]
) -> None:
    publish_linear()
    app = without(app, store, "predictions/glow/p2.json")
    records = [
        record(number, asked(number), source=FIFO, group="even" if number % 2 == 0 else "odd")
        for number in range(7)
    ]

    found = handle({"Records": records}, app, Context())

    assert failures(found) == ["m2", "m4", "m6"]
    with pytest.raises(ObjectNotFound):
        store.get("predictions/glow/p4.json")
    assert answer(store, "p5")["model"] == "glow"


def test_what_may_work_later_comes_again_soon_and_later_each_time(
    app: App, queue: Queue, store: Store, publish_linear: Callable[..., Any]
) -> None:
    publish_linear()
    app = without(app, store, "predictions/glow/p1.json")

    for received in (1, 2, 3, 4):
        handle({"Records": [record(0, asked(0)), record(1, asked(1), received=received)]}, app, Context())

    assert queue.put_off == [
        ("predictions", "r1", 1 + 2),
        ("predictions", "r1", 1 + 22),
        ("predictions", "r1", 1 + 62),
        ("predictions", "r1", 1 + 270),
    ]


def test_in_order_what_came_first_comes_again_first_and_its_group_no_sooner(
    app: App, queue: Queue, store: Store, publish_linear: Callable[..., Any]
) -> None:
    publish_linear()
    app = without(app, store, "predictions/glow/p2.json", "predictions/glow/p5.json")
    records = [
        record(number, asked(number), source=FIFO, group="even" if number % 2 == 0 else "odd")
        for number in range(7)
    ]

    handle({"Records": records}, app, Context())

    assert queue.put_off == [
        ("ordered", "r2", 3),
        ("ordered", "r4", 3),
        ("ordered", "r6", 3),
        ("ordered", "r5", 5),
    ]


def test_message_that_cannot_be_put_off_comes_again_as_its_queue_says(
    app: App,
    queue: Queue,
    store: Store,
    publish_linear: Callable[..., Any],
    capsys: pytest.CaptureFixture[str],
) -> None:
    publish_linear()
    app = without(app, store, "predictions/glow/p0.json")
    queue.is_away = True

    found = handle({"Records": [record(0, asked(0)), record(1, asked(1))]}, app, Context())

    assert failures(found) == ["m0"]
    told = [json.loads(line)["exception_name"] for line in capsys.readouterr().out.splitlines()]
    assert told == ["StoreUnavailable", "QueueUnavailable"]


def test_without_time_nothing_is_put_off(
    app: App, queue: Queue, store: Store, publish_linear: Callable[..., Any]
) -> None:
    class AtTheEnd(Context):
        def get_remaining_time_in_millis(self) -> int:
            return 1_000

    publish_linear()
    app = without(app, store, "predictions/glow/p0.json")

    found = handle({"Records": [record(0, asked(0))]}, app, AtTheEnd())

    assert failures(found) == ["m0"]
    assert queue.put_off == []


def deliveries(records: list[dict[str, Any]], app: App, most: int) -> Iterator[list[str]]:
    """Deliver messages until none is left, as SQS does; yield what each delivery left."""
    for received in range(1, most + 1):
        for one in records:
            one["attributes"]["ApproximateReceiveCount"] = str(received)
        try:
            left = failures(handle({"Records": records}, app, Context()))
        except KeyboardInterrupt:  # the function ended
            left = [one["messageId"] for one in records]
        records = [one for one in records if one["messageId"] in left]
        yield left
        if not records:
            return


@pytest.mark.parametrize("source", [STANDARD, FIFO])
def test_message_that_ends_the_function_is_told_so_and_the_others_are_answered(
    app: App, runs: Runs, store: Store, publish_linear: Callable[..., Any], source: str
) -> None:
    publish_linear()
    runs.deadly = 66.0
    records = [record(number, asked(number), source=source, group="g") for number in range(8)]
    records[2] = record(2, asked(2, inputs=[[66.0] * 8]), source=source, group="g")

    left = list(deliveries(records, app, 5))

    assert left[-1] == []
    assert len(left) == 3
    assert answer(store, "p2")["code"] == "worker-lost"
    assert all(answer(store, f"p{number}")["predictions"] for number in (0, 1, 3, 4, 5, 6, 7))
