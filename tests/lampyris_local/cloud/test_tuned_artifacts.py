"""The project's own template, from an upload to an environment that loads what was tuned to its CPU."""

import json
from collections.abc import Iterator
from pathlib import Path
from time import perf_counter, sleep
from typing import Any

import msgspec
import numpy as np
import onnx
import pytest
from obstore.store import S3Store
from onnx import TensorProto, helper, numpy_helper

from lampyris.adapters.object_store import ObjectStore
from lampyris.domain.layout import TUNING
from lampyris.domain.store import Store
from lampyris.domain.tuned import Tuned
from lampyris.registry.documents import read_version
from lampyris.serving.fetch import size_bytes
from lampyris_local.assets import asset
from lampyris_local.cloud.gateway import HttpRequest
from lampyris_local.cloud.local_cloud import LocalCloud
from lampyris_local.cloud.reports import LogLine

pytestmark = pytest.mark.nchwc


@pytest.fixture
def lines() -> list[LogLine]:
    return []


@pytest.fixture
def cloud(lines: list[LogLine]) -> Iterator[LocalCloud]:
    with LocalCloud(asset("template.yaml"), on_line=lines.append) as running:
        yield running


@pytest.fixture
def bucket(cloud: LocalCloud) -> Store:
    return ObjectStore(
        S3Store(
            cloud.outputs["Bucket"],
            config={"endpoint": cloud.endpoint_url, "region": cloud.region},
            access_key_id="local",
            secret_access_key="local",
            client_options={"allow_http": True},
        )
    )


def convolutions(path: Path) -> Path:
    """Write wide convolutions in fp32, which run far faster in a layout for one CPU."""
    weights = np.random.default_rng(0).normal(scale=0.02, size=(128, 128, 3, 3)).astype(np.float32)
    nodes = [
        helper.make_node("Conv", [value, "w"], [f"v{layer}"], kernel_shape=[3, 3], pads=[1] * 4)
        for layer, value in enumerate(("x", "v0", "v1", "v2"))
    ]
    graph = helper.make_graph(
        [*nodes, helper.make_node("GlobalAveragePool", ["v3"], ["y"])],
        "convolutions",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 128, 14, 14])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 128, 1, 1])],
        [numpy_helper.from_array(weights, "w")],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    return path


def documents(bucket: Store, prefix: str) -> list[bytes]:
    """Wait until something stands below a prefix, and read it."""
    until_s = perf_counter() + 60
    while perf_counter() < until_s:
        keys = [entry.key for entry in bucket.list(prefix)]
        if keys:
            return [bucket.get(key).data for key in keys]
        sleep(0.05)
    pytest.fail(f"Nothing came to stand below {prefix}.")


def test_published_convolutions_are_tuned_and_loaded_as_tuned(
    cloud: LocalCloud, bucket: Store, lines: list[LogLine], tmp_path: Path
) -> None:
    bucket.put("inbox/lamp/u1/model.onnx", convolutions(tmp_path / "model.onnx"))

    (document,) = documents(bucket, "tuned/")
    tuned = msgspec.json.decode(document, type=Tuned)
    data = np.ones((1, 128, 14, 14), np.float32)
    request: dict[str, Any] = {
        "inputs": [
            {"name": "x", "shape": list(data.shape), "datatype": "FP32", "data": data.ravel().tolist()}
        ]
    }
    response = cloud.request(
        HttpRequest(method="POST", path="/v2/models/lamp/infer", body=json.dumps(request).encode())
    )

    assert response.status == 200
    assert tuned.artifact is not None
    assert tuned.artifact.digest != read_version(bucket, "lamp", 1).artifact.digest
    assert len(documents(bucket, TUNING)) == 1
    printed = [json.loads(line.text) for line in lines if line.text.startswith("{")]
    (fetched,) = [line["FetchedBytes"] for line in printed if "FetchedBytes" in line]
    assert fetched == size_bytes(tuned.artifact)
