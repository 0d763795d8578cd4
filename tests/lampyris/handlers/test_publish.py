"""The publish function, woken by S3's events as SQS hands them over."""

import io
import json
import subprocess
import sys
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import quote_plus

import onnx
import pytest
from aws_lambda_powertools import Logger
from aws_lambda_powertools.metrics import EphemeralMetrics
from onnx import TensorProto, helper

from lampyris.adapters.object_store import memory_store
from lampyris.domain.layout import Upload, rejected_prefix
from lampyris.domain.registry import list_models, list_versions, read_rejection
from lampyris.handlers.publish import App, handle
from lampyris.publishing.confinement import Accepted
from lampyris.publishing.trial import try_model

LIMIT_BYTES = 2**20
Event = dict[str, Any]


@pytest.fixture
def log() -> io.StringIO:
    return io.StringIO()


@pytest.fixture
def app(log: io.StringIO, request: pytest.FixtureRequest) -> App:
    return App(
        store=memory_store(),
        limit_bytes=LIMIT_BYTES,
        trial=partial(try_model, limit_bytes=LIMIT_BYTES),
        clock=lambda: datetime.now(UTC),
        logger=Logger(service=request.node.name, stream=log),  # a name of its own: loggers are shared by name
        metrics=EphemeralMetrics(namespace="Lampyris", service="publish"),
    )


def model() -> bytes:
    graph = helper.make_graph(
        [helper.make_node("Relu", ["x"], ["y"])],
        "relu",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 4])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 4])],
    )
    made: onnx.ModelProto = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8
    )
    return bytes(made.SerializeToString())


def drop(app: App, model_name: str, upload: str, file: str = "model.onnx", data: bytes | None = None) -> str:
    place = Upload(model=model_name, upload=upload, file=file)
    app.store.put(place.key, model() if data is None else data)
    return place.key


def record(key: str, event: str = "ObjectCreated:Put") -> Event:
    """Make a record as S3 writes it."""
    return {
        "eventVersion": "2.1",
        "eventSource": "aws:s3",
        "awsRegion": "eu-central-1",
        "eventTime": "2026-07-01T12:00:00.000Z",
        "eventName": event,
        "s3": {
            "s3SchemaVersion": "1.0",
            "bucket": {"name": "registry", "arn": "arn:aws:s3:::registry"},
            "object": {"key": quote_plus(key, safe="/"), "size": 123, "eTag": "00", "sequencer": "0055AED6"},
        },
    }


def message(number: int, *records: Event, body: str | None = None) -> Event:
    return {
        "messageId": f"message-{number}",
        "receiptHandle": "handle",
        "body": json.dumps({"Records": list(records)}) if body is None else body,
        "attributes": {"ApproximateReceiveCount": "1"},
        "eventSource": "aws:sqs",
    }


def failures(answer: Event) -> list[str]:
    return [failure["itemIdentifier"] for failure in answer["batchItemFailures"]]


def test_upload_that_an_event_announces_is_published(app: App) -> None:
    key = drop(app, "iris", "u1")

    answer = handle({"Records": [message(1, record(key))]}, app)

    assert failures(answer) == []
    assert list_versions(app.store, "iris") == [1]


def test_key_with_spaces_and_signs_is_read_as_s3_encodes_it(app: App) -> None:
    key = drop(app, "iris", "u1", file="Mein Modell +1 (ä) 100%.onnx")

    handle({"Records": [message(1, record(key))]}, app)

    assert "+Modell+%2B1" in record(key)["s3"]["object"]["key"]
    assert list_versions(app.store, "iris") == [1]


def test_every_record_of_every_message_is_handled(app: App) -> None:
    keys = [drop(app, "iris", "u1"), drop(app, "rose", "u1"), drop(app, "lily", "u1")]

    handle({"Records": [message(1, record(keys[0]), record(keys[1])), message(2, record(keys[2]))]}, app)

    assert list_models(app.store) == ["iris", "lily", "rose"]


@pytest.mark.parametrize(
    "body",
    [
        json.dumps({"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": "registry"}),
        json.dumps({"Records": [record("inbox/iris/u1/files/model.onnx")]}),
        json.dumps({"Records": [record("inbox/iris/u1/model.onnx", "ObjectRemoved:Delete")]}),
        json.dumps({"Records": []}),
    ],
)
def test_event_that_completes_no_upload_is_done_at_once(
    app: App, capsys: pytest.CaptureFixture[str], body: str
) -> None:
    answer = handle({"Records": [message(1, body=body)]}, app)

    assert failures(answer) == []
    assert list(app.store.list("models/")) == []
    assert list(app.store.list("rejected/")) == []
    assert capsys.readouterr().out == ""


def test_refused_upload_is_done_and_leaves_its_reason(app: App) -> None:
    key = drop(app, "iris", "u1", data=b"\x80pickle")

    answer = handle({"Records": [message(1, record(key))]}, app)

    rejection = read_rejection(app.store, "iris", "u1")
    assert failures(answer) == []
    assert rejection is not None
    assert rejection.code == "not-onnx"


def test_upload_whose_name_is_none_is_logged_and_dropped(app: App, log: io.StringIO) -> None:
    answer = handle({"Records": [message(1, record("inbox/Iris/u1/model.onnx"))]}, app)

    line = json.loads(log.getvalue())
    assert failures(answer) == []
    assert line["level"] == "WARNING"
    assert line["key"] == "inbox/Iris/u1/model.onnx"
    assert "lower-case" in line["reason"]
    assert list(app.store.list(rejected_prefix("Iris"))) == []


def test_message_that_fails_comes_again_and_the_others_do_not(app: App, log: io.StringIO) -> None:
    good, broken = drop(app, "iris", "u1"), drop(app, "rose", "u1")

    def break_for_rose(folder: Path) -> Accepted:
        if list_versions(app.store, "iris"):
            raise OSError("No space left on device")
        return app.trial(folder)

    failing = App(
        store=app.store,
        limit_bytes=app.limit_bytes,
        trial=break_for_rose,
        clock=app.clock,
        logger=app.logger,
        metrics=app.metrics,
    )
    event = {"Records": [message(1, record(good)), message(2, record(broken))]}

    first = handle(event, failing)
    second = handle({"Records": [event["Records"][1]]}, app)

    assert failures(first) == ["message-2"]
    assert "No space left on device" in log.getvalue()
    assert failures(second) == []
    assert list_versions(app.store, "rose") == [1]


@pytest.mark.parametrize("body", ["", "not JSON", "[]", '{"Records": [{"eventName": "ObjectCreated:Put"}]}'])
def test_message_that_s3_did_not_write_fails_alone(app: App, body: str) -> None:
    key = drop(app, "iris", "u1")

    answer = handle({"Records": [message(1, body=body), message(2, record(key))]}, app)

    assert failures(answer) == ["message-1"]
    assert list_versions(app.store, "iris") == [1]


def test_line_of_an_upload_holds_its_metrics_and_its_name(
    app: App, capsys: pytest.CaptureFixture[str]
) -> None:
    good, bad = drop(app, "iris", "u1"), drop(app, "iris", "u2", data=b"\x80secret")

    handle({"Records": [message(1, record(good)), message(2, record(bad))]}, app)

    output = capsys.readouterr().out
    published, refused = (json.loads(line) for line in output.splitlines())
    assert published["Published"] == [1.0]
    assert (published["model"], published["upload"], published["version"]) == ("iris", "u1", 1)
    assert refused["Refused"] == [1.0]
    assert (refused["model"], refused["upload"], refused["code"]) == ("iris", "u2", "not-onnx")
    assert published["_aws"]["CloudWatchMetrics"][0]["Dimensions"] == [["service"]]
    assert "secret" not in output


def test_function_that_starts_loads_neither_onnx_nor_onnxruntime_nor_boto3() -> None:
    code = "import sys, lampyris.handlers.publish; print(*sys.modules)"

    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True).stdout

    assert not {"onnx", "onnxruntime", "boto3", "pydantic", "torch"} & set(loaded.split())
