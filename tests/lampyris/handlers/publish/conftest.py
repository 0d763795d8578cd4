"""The publish function without AWS around it: events go in, what SQS would hear comes out."""

import io
import json
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from typing import Any
from urllib.parse import quote_plus

import onnx
import onnxruntime
import pytest
from aws_lambda_powertools import Logger
from aws_lambda_powertools.metrics import EphemeralMetrics
from onnx import TensorProto, helper

from lampyris.adapters.object_store import memory_store
from lampyris.domain.layout import Upload
from lampyris.handlers.publish import App, handle
from lampyris.publishing.trial import try_model
from lampyris.publishing.tuning import tune_artifact
from lampyris.serving.cpu import Cpu

LIMIT_BYTES = 2**20


@pytest.fixture
def log() -> io.StringIO:
    return io.StringIO()


@pytest.fixture
def app(log: io.StringIO, request: pytest.FixtureRequest) -> App:
    return App(
        store=memory_store(),
        limit_bytes=LIMIT_BYTES,
        trial=partial(try_model, limit_bytes=LIMIT_BYTES),
        trusted_keys=(),
        tuning=tune_artifact,
        cpu=Cpu(key="0" * 32, name="x86_64, a CPU", onnxruntime=onnxruntime.__version__),
        clock=lambda: datetime.now(UTC),
        logger=Logger(service=request.node.name, stream=log),  # a name of its own: loggers are shared by name
        metrics=EphemeralMetrics(namespace="Lampyris", service="publish"),
    )


@pytest.fixture
def model() -> bytes:
    """Make the smallest model: FP32 (n, 4) in and out."""
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


@pytest.fixture
def drop(app: App, model: bytes) -> Callable[..., str]:
    """Put a bare model into the inbox, and return its key."""

    def put(name: str, upload: str, *, file: str = "model.onnx", data: bytes = model) -> str:
        place = Upload(model=name, upload=upload, file=file)
        app.store.put(place.key, data)
        return place.key

    return put


@pytest.fixture
def record() -> Callable[..., dict[str, Any]]:
    """Make a record as S3 writes it, about a key that is encoded as S3 does it, or as given."""

    def make(
        key: str = "", *, event: str = "ObjectCreated:Put", encoded: str | None = None
    ) -> dict[str, Any]:
        key = quote_plus(key, safe="/") if encoded is None else encoded
        return {
            "eventVersion": "2.1",
            "eventSource": "aws:s3",
            "awsRegion": "eu-central-1",
            "eventTime": "2026-07-01T12:00:00.000Z",
            "eventName": event,
            "userIdentity": {"principalId": "AWS:AROAEXAMPLE:ada"},
            "s3": {
                "s3SchemaVersion": "1.0",
                "bucket": {"name": "registry", "arn": "arn:aws:s3:::registry"},
                "object": {"key": key, "size": 123, "eTag": "00", "sequencer": "0055AED6"},
            },
        }

    return make


@pytest.fixture
def deliver(app: App, record: Callable[..., dict[str, Any]]) -> Callable[..., list[int]]:
    """Hand messages to the function and return the numbers of those that failed, from 1.

    A message is its body, or the list of its records, each of which may be only a key.
    """

    def send(*messages: str | list[str | dict[str, Any]], to: App = app) -> list[int]:
        event = {
            "Records": [
                {
                    "messageId": str(number),
                    "receiptHandle": "handle",
                    "body": message if isinstance(message, str) else _body(message),
                    "attributes": {"ApproximateReceiveCount": "1"},
                    "eventSource": "aws:sqs",
                }
                for number, message in enumerate(messages, start=1)
            ]
        }
        return [int(failure["itemIdentifier"]) for failure in handle(event, to)["batchItemFailures"]]

    def _body(records: list[str | dict[str, Any]]) -> str:
        return json.dumps({"Records": [record(one) if isinstance(one, str) else one for one in records]})

    return send
