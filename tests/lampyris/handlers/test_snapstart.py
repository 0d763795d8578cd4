"""AWS's own runtime client takes the handler through INIT, a snapshot and a restore, as Lambda does."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from queue import Queue
from threading import Event, Thread
from time import time
from typing import Any

import httpx
import pytest
from moto.server import ThreadedMotoServer

from lampyris.adapters.object_store import s3_store
from lampyris.domain.store import Store

BUCKET = "snapstart"  # every moto server in this process shares its buckets
CREDENTIALS = {"AccessKeyId": "a", "SecretAccessKey": "b", "Token": "c", "Expiration": "2040-01-01T00:00:00Z"}
REQUEST = {
    "rawPath": "/v2/models/glow/infer",
    "requestContext": {"http": {"method": "POST"}},
    "body": json.dumps(
        {"inputs": [{"name": "features", "shape": [1, 8], "datatype": "FP32", "data": [1] * 8}]}
    ),
}


class RuntimeApi(ThreadingHTTPServer):
    """What Lambda is to its runtime: says when it is frozen, when it is restored, and what to answer."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), RuntimeRequest)
        self.frozen = Event()
        self.restored = Event()
        self.requests: Queue[dict[str, Any]] = Queue()
        self.responses: Queue[dict[str, Any]] = Queue()
        self.errors: list[str] = []


class RuntimeRequest(BaseHTTPRequestHandler):
    """Source: https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html."""

    server: RuntimeApi

    def do_GET(self) -> None:
        if self.path.endswith("/restore/next"):
            self.server.frozen.set()
            self.server.restored.wait(30)
            self._answer({})
        elif self.path.endswith("/invocation/next"):
            self._answer(self.server.requests.get())
        else:
            self._answer(CREDENTIALS if self.headers["Authorization"] == "token" else {})

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.path.endswith("/response"):
            self.server.responses.put(json.loads(body))
        else:
            self.server.errors.append(body.decode())
        self._answer({}, status=202)

    def _answer(self, document: Any, status: int = 200) -> None:
        body = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Lambda-Runtime-Aws-Request-Id", "req-1")
        self.send_header("Lambda-Runtime-Deadline-Ms", str(int(time() * 1000) + 29_000))
        self.send_header(
            "Lambda-Runtime-Invoked-Function-Arn", "arn:aws:lambda:eu-central-1:1:function:predict"
        )
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: Any) -> None:
        """Say nothing."""


@pytest.fixture
def endpoint() -> Iterator[str]:
    server = ThreadedMotoServer(port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    httpx.put(f"http://{host}:{port}/{BUCKET}").raise_for_status()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def runtime_api() -> Iterator[RuntimeApi]:
    with RuntimeApi() as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def copy(store: Store, endpoint: str) -> None:
    bucket = s3_store(BUCKET, endpoint=endpoint)
    for entry in [*store.list("models/"), *store.list("blobs/")]:
        bucket.put(entry.key, store.get(entry.key).data)


def test_a_restored_environment_serves_what_is_live_now_without_loading_it_again(
    endpoint: str, runtime_api: RuntimeApi, publish_linear: Any, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    publish_linear(seed=1)
    copy(store, endpoint)
    address = f"127.0.0.1:{runtime_api.server_port}"
    environ = {
        "PATH": os.environ["PATH"],
        "AWS_LAMBDA_RUNTIME_API": address,
        "AWS_LAMBDA_INITIALIZATION_TYPE": "snap-start",
        "AWS_CONTAINER_CREDENTIALS_FULL_URI": f"http://{address}/credentials",
        "AWS_CONTAINER_AUTHORIZATION_TOKEN": "token",
        "AWS_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": endpoint,
        "LAMPYRIS_BUCKET": BUCKET,
        "LAMPYRIS_PRELOAD": "glow",
        "LAMPYRIS_ALIAS_TTL_S": "3600",
    }
    command = [sys.executable, "-m", "awslambdaric", "lampyris.handlers.predict.handler"]
    with subprocess.Popen(command, env=environ, stdout=subprocess.DEVNULL) as process:
        try:
            assert runtime_api.frozen.wait(30)
            publish_linear(seed=2)
            copy(store, endpoint)

            runtime_api.restored.set()
            runtime_api.requests.put(REQUEST)
            response = runtime_api.responses.get(timeout=30)
        finally:
            process.kill()

    assert response["statusCode"] == 200, response
    assert json.loads(response["body"])["model_version"] == "2"
    assert "fetch" not in response["headers"]["server-timing"]
    assert "init" not in response["headers"]["server-timing"]
    assert not runtime_api.errors
