"""The publish function, woken by S3's events as SQS hands them over."""

import io
import json
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import quote_plus

import msgspec
import numpy as np
import onnx
import onnxruntime
import pytest
from aws_lambda_powertools import Logger
from aws_lambda_powertools.metrics import EphemeralMetrics
from onnx import TensorProto, helper, numpy_helper

from lampyris.adapters.object_store import memory_store
from lampyris.domain.layout import TUNING, Upload, blob_key, rejected_prefix, wish_key
from lampyris.domain.manifest import Artifact, Blob
from lampyris.domain.tuned import Tuned, read_tuned
from lampyris.handlers.publish import App, handle
from lampyris.publishing.confinement import Accepted
from lampyris.publishing.trial import try_model
from lampyris.publishing.tuning import tune_artifact
from lampyris.registry.documents import list_models, list_versions, read_rejection, read_version
from lampyris.serving.cpu import Cpu

LIMIT_BYTES = 2**20
CPU = Cpu(key="0" * 32, name="x86_64, a CPU", onnxruntime=onnxruntime.__version__)
Event = dict[str, Any]


def wish(digest: str, *, tunable: bool) -> bytes:
    graph = Blob(digest=digest, size_bytes=4, part_size_bytes=4, part_digests=("0" * 64,))
    return msgspec.json.encode(Artifact(graph=graph, weights=None, onnxruntime="1", tunable=tunable))


@pytest.fixture
def log() -> io.StringIO:
    return io.StringIO()


@pytest.fixture
def app(log: io.StringIO, request: pytest.FixtureRequest) -> App:
    return App(
        store=memory_store(),
        limit_bytes=LIMIT_BYTES,
        trial=partial(try_model, limit_bytes=LIMIT_BYTES),
        tuning=tune_artifact,
        cpu=CPU,
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

    failing = replace(app, trial=break_for_rose)
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


def convolutions() -> bytes:
    """Make a model that runs faster in the form for one CPU, by far: wide convolutions in fp32."""
    weights = np.random.default_rng(0).normal(scale=0.02, size=(64, 64, 3, 3)).astype(np.float32)
    convolution: dict[str, Any] = {"kernel_shape": [3, 3], "pads": [1] * 4}
    graph = helper.make_graph(
        [
            helper.make_node("Conv", ["x", "w"], ["a"], **convolution),
            helper.make_node("Relu", ["a"], ["b"]),
            helper.make_node("Conv", ["b", "w"], ["c"], **convolution),
            helper.make_node("GlobalAveragePool", ["c"], ["y"]),
        ],
        "convolutions",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 64, 16, 16])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 64, 1, 1])],
        [numpy_helper.from_array(weights, "w")],
    )
    made: onnx.ModelProto = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8
    )
    return bytes(made.SerializeToString())


def publish_convolutions(app: App) -> Artifact:
    handle({"Records": [message(1, record(drop(app, "lamp", "u1", data=convolutions())))]}, app)
    return read_version(app.store, "lamp", 1).artifact


def wishes(app: App) -> list[str]:
    return [entry.key for entry in app.store.list(TUNING)]


def granted(app: App, artifact: Artifact) -> Tuned:
    tuned = read_tuned(app.store, artifact, CPU.key)
    assert tuned is not None
    return tuned


@pytest.fixture
def half(app: App) -> App:
    """An app whose tuned forms take half the time, whatever the machine: nothing is timed."""

    def twice_as_fast(folder: Path) -> float | None:
        return None if tune_artifact(folder) is None else 2.0

    return replace(app, tuning=twice_as_fast)


@pytest.mark.nchwc
def test_published_convolutions_are_wished_for_and_then_tuned(
    half: App, capsys: pytest.CaptureFixture[str]
) -> None:
    artifact = publish_convolutions(half)
    assert wishes(half) == [wish_key(artifact.digest, CPU.key)]

    answer = handle({"Records": [message(1, record(*wishes(half)))]}, half)

    tuned = granted(half, artifact)
    assert failures(answer) == []
    assert tuned.artifact is not None
    assert half.store.size_bytes(blob_key(tuned.artifact.graph.digest)) > 0
    assert tuned.artifact.digest != artifact.digest
    assert (tuned.cpu, tuned.onnxruntime, tuned.speedup) == (CPU.name, CPU.onnxruntime, 2.0)
    line = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert line["Tuned"] == [1.0]
    assert (line["artifact"], line["cpu"], line["speedup"]) == (artifact.digest, CPU.name, 2.0)


def test_model_that_gains_nothing_is_not_wished_for(app: App) -> None:
    handle({"Records": [message(1, record(drop(app, "iris", "u1")))]}, app)

    assert not read_version(app.store, "iris", 1).artifact.tunable
    assert wishes(app) == []


@pytest.mark.nchwc
def test_nothing_is_wished_for_where_the_cpu_is_not_known(app: App) -> None:
    unknown = replace(app, cpu=None)

    artifact = publish_convolutions(unknown)

    assert artifact.tunable
    assert wishes(app) == []


@pytest.mark.nchwc
@pytest.mark.parametrize("speedup", [None, 0.5, 1.04])
def test_form_that_is_hardly_faster_is_not_kept_and_not_tried_again(app: App, speedup: float | None) -> None:
    artifact = publish_convolutions(app)
    blobs = list(app.store.list("blobs/"))
    tried: list[Path] = []

    def slow(folder: Path) -> float | None:
        tried.append(folder)
        return speedup

    for _ in range(2):
        handle({"Records": [message(1, record(*wishes(app)))]}, replace(app, tuning=slow))

    tuned = granted(app, artifact)
    assert (tuned.artifact, tuned.speedup) == (None, speedup)
    assert len(tried) == 1
    assert list(app.store.list("blobs/")) == blobs


@pytest.mark.nchwc
def test_wish_delivered_again_changes_nothing(half: App) -> None:
    artifact = publish_convolutions(half)
    event = {"Records": [message(1, record(*wishes(half)))]}
    handle(event, half)
    before = granted(half, artifact)

    answer = handle(event, half)

    assert failures(answer) == []
    assert granted(half, artifact) == before


@pytest.mark.nchwc
def test_wish_of_another_cpu_is_granted_for_this_one(half: App) -> None:
    artifact = publish_convolutions(half)
    key = wish_key(artifact.digest, "f" * 32)
    half.store.put(key, half.store.get(*wishes(half)).data)

    handle({"Records": [message(1, record(key))]}, half)

    assert granted(half, artifact).cpu == CPU.name
    assert read_tuned(half.store, artifact, "f" * 32) is None


@pytest.mark.nchwc
def test_tuning_that_breaks_comes_again(app: App) -> None:
    artifact = publish_convolutions(app)

    def breaks(folder: Path) -> float | None:
        raise OSError("No space left on device")

    answer = handle({"Records": [message(1, record(*wishes(app)))]}, replace(app, tuning=breaks))

    assert failures(answer) == ["message-1"]
    assert read_tuned(app.store, artifact, CPU.key) is None


DIGEST = "a" * 64


@pytest.mark.parametrize(
    ("key", "document"),
    [
        ("tuning/", b"{}"),
        ("tuning/glow.json", b"{}"),
        (f"tuning/../{'0' * 32}.json", b"{}"),
        (f"tuning/{DIGEST}/{'0' * 32}.txt", b"{}"),
        (wish_key(DIGEST, CPU.key), b""),
        (wish_key(DIGEST, CPU.key), b"\xff"),
        (wish_key(DIGEST, CPU.key), b"[" * 100_000),
        (wish_key(DIGEST, CPU.key), b"{}"),
        (wish_key(DIGEST, CPU.key), wish("b" * 64, tunable=True)),
        (wish_key(DIGEST, CPU.key), wish(DIGEST, tunable=False)),
    ],
)
def test_wish_that_is_none_is_logged_and_dropped(
    app: App, log: io.StringIO, key: str, document: bytes
) -> None:
    app.store.put(key.replace("../", "x/"), document)

    answer = handle({"Records": [message(1, record(key))]}, app)

    line = json.loads(log.getvalue())
    assert failures(answer) == []
    assert (line["level"], line["key"]) == ("WARNING", key)
    assert list(app.store.list("tuned/")) == []


def test_wish_whose_artifact_is_gone_is_logged_and_dropped(app: App, log: io.StringIO) -> None:
    app.store.put(wish_key(DIGEST, CPU.key), wish(DIGEST, tunable=True))

    answer = handle({"Records": [message(1, record(wish_key(DIGEST, CPU.key)))]}, app)

    assert failures(answer) == []
    assert "artifact is gone" in json.loads(log.getvalue())["message"]


def test_wish_that_has_expired_is_done_at_once(app: App, log: io.StringIO) -> None:
    answer = handle({"Records": [message(1, record(wish_key(DIGEST, CPU.key)))]}, app)

    assert failures(answer) == []
    assert log.getvalue() == ""


def test_function_that_starts_loads_neither_onnx_nor_onnxruntime_nor_boto3() -> None:
    code = "import sys, lampyris.handlers.publish; print(*sys.modules)"

    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True).stdout

    assert not {"onnx", "onnxruntime", "boto3", "pydantic", "torch"} & set(loaded.split())
