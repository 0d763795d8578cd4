"""What a cold start imports is part of the predict function's contract: tested in a fresh interpreter."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from moto.server import ThreadedMotoServer

from lampyris.adapters.object_store import s3_store
from lampyris.domain.store import Store

BUCKET = "cold-start"  # every moto server in this process shares its buckets
# Each costs a cold start more than what it would be used for.
UNWANTED = {"aws_lambda_powertools", "boto3", "email", "fastapi", "hashlib", "http", "onnx", "pathlib", "PIL"}
UNWANTED |= {"pydantic", "requests", "scipy", "sklearn", "torch", "urllib3"}
# Modules loaded beyond those of `import onnxruntime`: 59 were when this was written.
BUDGET_MODULES = 70


def run(code: str, **environment: str) -> Any:
    """Run code in a fresh interpreter; it prints one JSON document as its last line."""
    environ = {"PATH": os.environ["PATH"], "AWS_REGION": "us-east-1", "LAMPYRIS_BUCKET": BUCKET} | environment
    environ |= {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environ, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


LOADED = """
import json, sys
before = set(sys.modules)
import {}
print(json.dumps(sorted(set(sys.modules) - before)))
"""


def test_importing_the_handler_loads_only_what_a_prediction_needs() -> None:
    loaded = run(LOADED.format("lampyris.handlers.predict"))

    assert not [module for module in loaded if module.partition(".")[0] in UNWANTED]
    assert "lampyris.publishing" not in loaded


def test_importing_the_handler_stays_inside_its_budget() -> None:
    loaded = run(LOADED.format("lampyris.handlers.predict"))
    floor = run(LOADED.format("onnxruntime"))

    assert len(loaded) - len(floor) <= BUDGET_MODULES
    assert "onnxruntime" in loaded


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    """An S3 of our own, which holds an empty registry."""
    server = ThreadedMotoServer(port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    url = f"http://{host}:{port}"
    httpx.put(f"{url}/{BUCKET}").raise_for_status()
    yield url
    server.stop()


PREDICT = """
import json
from lampyris.handlers.predict import handler
class Context:
    aws_request_id = "req-1"
    def get_remaining_time_in_millis(self): return 29_000
event = {
    "rawPath": "/v2/models/glow/infer", "headers": {}, "requestContext": {"http": {"method": "POST"}},
    "body": json.dumps(
        {"inputs": [{"name": "features", "shape": [1, 8], "datatype": "FP32", "data": [1] * 8}]}
    ),
}
print(json.dumps(handler(event, Context())))
"""


def test_a_model_expected_at_init_is_there_for_the_first_request(
    endpoint: str, publish_linear: Any, store: Store
) -> None:
    publish_linear()
    bucket = s3_store(BUCKET, endpoint=endpoint)
    for entry in [*store.list("models/"), *store.list("blobs/")]:
        bucket.put(entry.key, store.get(entry.key).data)

    response = run(PREDICT, LAMPYRIS_PRELOAD="glow", AWS_ENDPOINT_URL=endpoint)

    assert response["statusCode"] == 200
    assert json.loads(response["body"])["model_version"] == "1"
    assert response["headers"]["server-timing"].startswith("init;dur=")


def test_a_preload_that_fails_leaves_a_function_that_answers(endpoint: str) -> None:
    response = run(
        PREDICT.replace("models/glow", "models/absent"), LAMPYRIS_PRELOAD="absent", AWS_ENDPOINT_URL=endpoint
    )

    assert (response["statusCode"], json.loads(response["body"])["code"]) == (404, "model-not-found")
