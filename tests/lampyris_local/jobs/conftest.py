"""Jobs as a caller meets them: over HTTP, in local clouds that run the project's own template."""

import json
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import boto3
import httpx
import numpy as np
import onnx
import pytest
from obstore.store import S3Store
from onnx import TensorProto, helper, numpy_helper

from lampyris.adapters.object_store import ObjectStore
from lampyris_local.assets import asset
from lampyris_local.cloud.local_cloud import LocalCloud
from lampyris_local.cloud.reports import LogLine

ENDED = ("succeeded", "failed", "cancelled")
_POLL_S = 0.1
_SENT_AT_ONCE = 10  # as many as SQS takes
FEATURES, OUTPUTS = 4, 3
# Sums of quarters are exact, in whichever order a processor adds them up.
WEIGHTS = (np.arange(FEATURES * OUTPUTS).reshape(FEATURES, OUTPUTS) / 4).astype(np.float32)


def linear(path: Path) -> Path:
    """Write a model that multiplies four features by WEIGHTS."""
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["features", "weights"], ["sums"])],
        "linear",
        [helper.make_tensor_value_info("features", TensorProto.FLOAT, ["rows", FEATURES])],
        [helper.make_tensor_value_info("sums", TensorProto.FLOAT, ["rows", OUTPUTS])],
        [numpy_helper.from_array(WEIGHTS, "weights")],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    return path


class Deployment:
    """A local cloud and what callers do with it; `lines` is all that it has logged."""

    def __init__(self, cloud: LocalCloud, http: httpx.Client, lines: list[LogLine], folder: Path) -> None:
        self.cloud, self.http, self.lines = cloud, http, lines
        self.bucket = ObjectStore(
            S3Store(
                cloud.outputs["Bucket"],
                config={"endpoint": cloud.endpoint_url, "region": cloud.region},
                access_key_id="local",
                secret_access_key="local",
                client_options={"allow_http": True},
            )
        )
        self.sqs = boto3.client("sqs", endpoint_url=cloud.endpoint_url, region_name=cloud.region)
        self._folder = folder

    def until(self, found: Callable[[], Any], limit_s: float = 600) -> Any:
        """Wait until something is found, and return it."""
        gives_up_s = time.monotonic() + limit_s
        while not (what := found()):
            assert time.monotonic() < gives_up_s, self.faults_and_errors()
            time.sleep(_POLL_S)
        return what

    def call(self, method: str, path: str, **others: Any) -> Any:
        """Call the API, again if it is busy, and return its document."""
        while True:
            answer = self.http.request(method, path, **others)
            if answer.status_code not in {429, 503}:
                answer.raise_for_status()
                return answer.json()
            time.sleep(_POLL_S)

    def submit(self, spec: dict[str, Any], key: str | None = None, **others: Any) -> str:
        headers = {"idempotency-key": key or uuid4().hex}
        name: str = self.call("POST", "/jobs", json={"spec": spec, **others}, headers=headers)["job"]
        return name

    def job(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = self.call("GET", f"/jobs/{name}")
        return found

    def ended(self, name: str, limit_s: float = 600) -> dict[str, Any]:
        def find() -> dict[str, Any] | None:
            job = self.job(name)
            return job if job["state"] in ENDED else None

        found: dict[str, Any] = self.until(find, limit_s)
        return found

    def batch_of(self, key: str) -> str:
        """Wait for the job that a file started, and name it."""

        def find() -> str | None:
            jobs = self.call("GET", "/jobs", params={"limit": 100})["items"]
            of_key = [one["job"] for one in jobs if self.job(one["job"])["spec"].get("input") == key]
            assert len(of_key) <= 1
            return of_key[0] if of_key else None

        name: str = self.until(find)
        return name

    def publish_linear(self, model: str) -> None:
        self.bucket.put(f"inbox/{model}/u1/model.onnx", linear(self._folder / f"{model}.onnx"))
        self.wait_until_live(model)

    def wait_until_live(self, model: str) -> None:
        self.until(lambda: self.http.get(f"/models/{model}/aliases/live").status_code == 200)

    def predict(self, model: str, rows: Any) -> dict[str, Any]:
        outputs: dict[str, Any] = self.call("POST", f"/models/{model}/predict", json={"inputs": rows})
        return outputs

    def send(self, queue: str, messages: Sequence[dict[str, Any]]) -> None:
        for first in range(0, len(messages), _SENT_AT_ONCE):
            entries = [
                {"Id": str(number), "MessageBody": json.dumps(message)}
                for number, message in enumerate(messages[first : first + _SENT_AT_ONCE])
            ]
            sent = self.sqs.send_message_batch(QueueUrl=self.queue(queue), Entries=entries)
            assert not sent.get("Failed")

    def queue(self, name: str) -> str:
        """Return the address of a queue, by its name in the template."""
        address = self.cloud.outputs["PredictionsQueue"]
        return address.removesuffix("PredictionsQueue") + name

    def manifest(self, job: dict[str, Any]) -> dict[str, Any]:
        (url,) = (one["url"] for one in job["results"] if one["name"].startswith("manifest"))
        found: dict[str, Any] = httpx.get(url).json()
        return found

    def answers(self, job: dict[str, Any]) -> list[dict[str, Any]]:
        """Return a batch's answers in their order."""
        return self._rows(shard["answers"] for shard in self.manifest(job)["shards"])

    def failed(self, job: dict[str, Any]) -> list[dict[str, Any]]:
        """Return the rows of a batch that have no answers."""
        return self._rows(shard.get("failed") for shard in self.manifest(job)["shards"])

    def _rows(self, keys: Iterator[str | None]) -> list[dict[str, Any]]:
        files = (self.bucket.get(key).data for key in keys if key is not None)
        return [json.loads(line) for file in files for line in bytes(file).splitlines()]

    def faults_and_errors(self) -> str:
        told = [line for line in self.lines if line.kind in {"FAULT", "QUEUE"} or "rror" in line.text]
        return "\n".join(f"{line.function} {line.kind} {line.text[:400]}" for line in told[-40:])


Deployed = Callable[..., AbstractContextManager[Deployment]]


@pytest.fixture(scope="session")
def deployed(tmp_path_factory: pytest.TempPathFactory) -> Deployed:
    """Start a local cloud from the project's template."""

    @contextmanager
    def deployed(**options: Any) -> Iterator[Deployment]:
        lines: list[LogLine] = []
        with (
            LocalCloud(asset("template.yaml"), on_line=lines.append, **options) as cloud,
            httpx.Client(base_url=cloud.api_url, timeout=60) as http,
        ):
            yield Deployment(cloud, http, lines, tmp_path_factory.mktemp("models"))

    return deployed


@pytest.fixture(scope="session")
def hurried(deployed: Deployed) -> Iterator[Deployment]:
    """A cloud whose functions end after some seconds, with a model `linear`."""
    with deployed(time_limit_s=15) as deployment:
        deployment.publish_linear("linear")
        yield deployment
