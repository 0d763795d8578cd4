"""NVIDIA's own client, unchanged, over HTTP."""

import asyncio
from collections.abc import Iterator
from typing import Any, get_args

import numpy as np
import pytest
from tritonclient import http as triton
from tritonclient.http import aio
from tritonclient.utils import InferenceServerException

from lampyris.domain.datatypes import Datatype
from lampyris.domain.tensors import NUMPY_OF, Array

DATATYPES = get_args(Datatype)


@pytest.fixture
def client(address: str) -> Iterator[triton.InferenceServerClient]:
    with triton.InferenceServerClient(address) as client:
        yield client


def example(datatype: Any) -> Array:
    if datatype == "BYTES":
        return np.array([["dark", "", "gl\u00fch"], ["a\0b", "x" * 300, "\u5149"]], np.object_)
    return np.array([[0, 1, 1], [1, 0, 1]]).astype(NUMPY_OF[datatype])


def given(name: str, datatype: str, values: Array, *, binary: bool = True) -> triton.InferInput:
    tensor = triton.InferInput(name, list(values.shape), datatype)
    return tensor.set_data_from_numpy(values, binary_data=binary)


def text(values: Array) -> list[str]:
    """Strings come as bytes if they came binary."""
    return [value.decode() if isinstance(value, bytes) else value for value in values.ravel().tolist()]


def test_server_and_models_are_live_and_ready(publish_linear: Any, client: Any) -> None:
    publish_linear()

    assert client.is_server_live()
    assert client.is_server_ready()
    assert client.is_model_ready("glow")
    assert client.is_model_ready("glow", "1")
    assert not client.is_model_ready("glow", "2")
    assert not client.is_model_ready("nope")


def test_metadata_tell_what_the_server_can_and_what_a_model_takes(publish_linear: Any, client: Any) -> None:
    publish_linear()

    server, model = client.get_server_metadata(), client.get_model_metadata("glow", "live")

    assert (server["name"], "binary_tensor_data" in server["extensions"]) == ("lampyris", True)
    assert (model["name"], model["versions"]) == ("glow", ["1"])
    assert model["inputs"] == [{"name": "features", "datatype": "FP32", "shape": [-1, 8]}]
    assert client.get_model_config("glow")["input"] == [
        {"name": "features", "data_type": "TYPE_FP32", "dims": [-1, 8]}
    ]
    assert client.get_model_repository_index() == [
        {"name": "glow", "version": "1", "state": "READY", "reason": ""}
    ]


@pytest.mark.parametrize("binary", [True, False])
def test_every_datatype_comes_back_as_it_was_sent(every_datatype: None, client: Any, binary: Any) -> None:
    for datatype in DATATYPES:
        values = example(datatype)

        result = client.infer(
            datatype.lower(),
            [given("x0", datatype, values, binary=binary)],
            outputs=[triton.InferRequestedOutput("y0", binary_data=binary)],
        )

        assert ("data" in result.get_output("y0")) is not binary
        if datatype == "BYTES":
            assert text(result.as_numpy("y0")) == text(values)
        else:
            assert result.as_numpy("y0").dtype == values.dtype
            np.testing.assert_array_equal(result.as_numpy("y0"), values)


def test_binary_and_json_tensors_mix(publish_identity: Any, client: Any) -> None:
    publish_identity("FP32", "BYTES", "INT64")
    values = {
        "x0": np.array([[0.5, np.nan, np.inf]], np.float32),
        "x1": np.array([["a", "b"]], np.object_),
        "x2": np.array([[2**63 - 1]], np.int64),
    }

    result = client.infer(
        "echo",
        [
            given("x2", "INT64", values["x2"], binary=False),
            given("x1", "BYTES", values["x1"]),
            given("x0", "FP32", values["x0"]),
        ],
        outputs=[
            triton.InferRequestedOutput("y2"),
            triton.InferRequestedOutput("y1", binary_data=False),
            triton.InferRequestedOutput("y0"),
        ],
        request_id="mine",
        parameters={"custom": 1},
        priority=1,
        timeout=1_000_000,
    )

    assert result.get_response()["id"] == "mine"
    assert [output["name"] for output in result.get_response()["outputs"]] == ["y2", "y1", "y0"]
    assert result.as_numpy("y2").tolist() == [[2**63 - 1]]
    assert result.as_numpy("y1").tolist() == [["a", "b"]]
    np.testing.assert_array_equal(result.as_numpy("y0"), values["x0"])


def test_without_requested_outputs_all_come_binary(publish_identity: Any, client: Any) -> None:
    publish_identity("FP32", "UINT8")
    wide, narrow = np.ones((1, 3), np.float32), np.ones((1, 5), np.uint8)

    result = client.infer("echo", [given("x0", "FP32", wide), given("x1", "UINT8", narrow)])

    assert result.get_output("y0")["parameters"] == {"binary_data_size": 12}
    assert result.get_output("y1")["parameters"] == {"binary_data_size": 5}
    np.testing.assert_array_equal(result.as_numpy("y0"), wide)
    np.testing.assert_array_equal(result.as_numpy("y1"), narrow)


@pytest.mark.parametrize("algorithm", ["gzip", "deflate"])
@pytest.mark.parametrize("binary", [True, False])
def test_compressed_bodies_are_taken_and_given(
    publish_identity: Any,
    client: Any,
    algorithm: str,
    binary: Any,
) -> None:
    publish_identity("FP32")
    values = np.zeros((1, 5000), np.float32)

    result = client.infer(
        "echo",
        [given("x0", "FP32", values, binary=binary)],
        outputs=[triton.InferRequestedOutput("y0", binary_data=binary)],
        request_compression_algorithm=algorithm,
        response_compression_algorithm=algorithm,
    )

    np.testing.assert_array_equal(result.as_numpy("y0"), values)


def test_classification_gives_the_best_classes_with_their_labels(publish_identity: Any, client: Any) -> None:
    publish_identity("FP32", shape=(-1, 3), labels=("dark", "dim", "lit"))
    scores = np.array([[0.25, 0.5, 0.125], [0.75, 0.0, 0.75]], np.float32)

    result = client.infer(
        "echo",
        [given("x0", "FP32", scores)],
        outputs=[triton.InferRequestedOutput("y0", class_count=2)],
    )

    assert result.as_numpy("y0").tolist() == [
        [b"0.500000:1:dim", b"0.250000:0:dark"],
        [b"0.750000:0:dark", b"0.750000:2:lit"],
    ]


def test_requests_may_be_asynchronous(publish_linear: Any, address: str) -> None:
    publish_linear()
    rows = [np.full((1, 8), value, np.float32) for value in range(4)]

    with triton.InferenceServerClient(address, concurrency=2) as client:
        pending = [client.async_infer("glow", [given("features", "FP32", row)]) for row in rows]
        answers = [request.get_result().as_numpy("p") for request in pending]

    for answer in answers:
        np.testing.assert_allclose(answer.sum(), 1, rtol=1e-6)


def test_the_asyncio_client_is_served_too(publish_identity: Any, address: str) -> None:
    publish_identity("FP32")
    values = np.zeros((1, 5000), np.float32)

    async def infer() -> Any:
        async with aio.InferenceServerClient(address) as client:
            assert await client.is_model_ready("echo")
            tensor = aio.InferInput("x0", [1, 5000], "FP32").set_data_from_numpy(values)
            return await client.infer("echo", [tensor], response_compression_algorithm="gzip")

    np.testing.assert_array_equal(asyncio.run(infer()).as_numpy("y0"), values)


def test_an_error_says_why(publish_linear: Any, client: Any) -> None:
    publish_linear()

    with pytest.raises(InferenceServerException, match="the model wants FP32") as refusal:
        client.infer("glow", [given("features", "INT64", np.zeros((1, 8), np.int64))])

    assert refusal.value.status() == "422"
