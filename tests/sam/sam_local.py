"""What the tests of this folder share: AWS's `sam local`, and the uploads that both clouds get."""

import json
import os
import socket
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import obstore
import pytest
from obstore.store import S3Store
from onnx import TensorProto, helper, numpy_helper

ROOT = Path(__file__).parent.parent.parent
EVENTS = ROOT / "tests/events"
PACKAGED = ROOT / "dist/x86_64/template.yaml"
SAM = ROOT / ".venv-sam/bin/sam"
BUCKET = "lampyris-123456789012-eu-central-1"  # as in tests/events
REGION = "eu-central-1"
HOST_IN_CONTAINERS = "172.17.0.1"  # what Docker's default bridge calls the host
PATIENCE_S = 120.0


def event(name: str) -> Any:
    return json.loads((EVENTS / name).read_text())


def put_event(key: str) -> Any:
    """The event that an upload to `key` leads to."""
    text = (EVENTS / "sqs-s3-put.json").read_text()
    return json.loads(text.replace("inbox/glow/first/glow.onnx", key))


def glow_model() -> bytes:
    """Make a model that takes 4 by 4 grey pixels and answers with the probabilities of three classes."""
    weights = np.random.default_rng(7).normal(size=(16, 3)).astype(np.float32)
    graph = helper.make_graph(
        [
            helper.make_node("Cast", ["image"], ["floats"], to=TensorProto.FLOAT),
            helper.make_node("Div", ["floats", "white"], ["scaled"]),
            helper.make_node("Flatten", ["scaled"], ["row"]),
            helper.make_node("MatMul", ["row", "weights"], ["logits"]),
            helper.make_node("Softmax", ["logits"], ["probabilities"]),
        ],
        "glow",
        [helper.make_tensor_value_info("image", TensorProto.UINT8, ["N", 4, 4, 1])],
        [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["N", 3])],
        [
            numpy_helper.from_array(np.array(255, dtype=np.float32), "white"),
            numpy_helper.from_array(weights, "weights"),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return bytes(model.SerializeToString())


# What is put into both inboxes, by key.
UPLOADS = {
    "inbox/glow/first/glow.onnx": glow_model(),
    "inbox/broken/first/broken.onnx": b"this is not a model",
}


def open_bucket(endpoint: str, bucket: str) -> S3Store:
    return S3Store(
        bucket,
        endpoint=endpoint,
        region=REGION,
        access_key_id="local",
        secret_access_key="local",
        client_options={"allow_http": True},
    )


def await_key(bucket: S3Store, key: str) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        try:
            obstore.head(bucket, key)
        except FileNotFoundError:
            time.sleep(0.2)
        else:
            return
    pytest.fail(f"{key} did not appear within {PATIENCE_S:.0f} s")


@dataclass(frozen=True, kw_only=True)
class Sam:
    """AWS's `sam local` on the packaged template, its functions pointed at a store on this machine."""

    template: Path
    variables: Path
    folder: Path
    endpoint: str

    def command(self, verb: str, *arguments: str) -> list[str]:
        options = ["--template", str(self.template), "--env-vars", str(self.variables), "--skip-pull-image"]
        return [str(SAM), "local", verb, *arguments, *options, "--region", REGION]

    @property
    def environment(self) -> dict[str, str]:
        """Without credentials: with any, sam asks AWS whose they are, and waits for an answer."""
        own = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        return {**own, "AWS_DEFAULT_REGION": REGION, "SAM_CLI_TELEMETRY": "0"}

    def invoke(self, function: str, payload: Any) -> Any:
        """Invoke a function. sam exits with 0 whatever happens, so only what it prints says how it went."""
        file = self.folder / "event.json"
        file.write_text(json.dumps(payload))
        done = subprocess.run(
            self.command("invoke", function, "--event", str(file)),
            env=self.environment,
            capture_output=True,
            text=True,
            check=True,
            timeout=PATIENCE_S,
        )
        last = done.stdout.strip().splitlines()[-1] if done.stdout.strip() else ""
        try:
            return json.loads(last)
        except json.JSONDecodeError:
            pytest.fail(f"sam local invoke {function} gave no answer:\n{done.stdout}\n{done.stderr}")


def await_port(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline and process.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.2)
    pytest.fail(f"sam local start-api did not come up:\n{log.read_text()}")
