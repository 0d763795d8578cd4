"""What the clients of KServe 0.21 and MLServer 1.7 send, byte for byte: they are too heavy to install."""

import json
from typing import Any

import pytest

KSERVE_JSON = (
    b'{"id":"mine","model_name":"echo","inputs":[{"name":"x0","shape":[1,2],"datatype":"FP32",'
    b'"data":[0.5,-1.0]},{"name":"x1","shape":[1,1],"datatype":"BYTES","data":["gl\xc3\xbch"]}]}'
)
KSERVE_BINARY = (
    b'{"id":"mine","model_name":"echo","inputs":[{"name":"x0","shape":[1,2],"datatype":"FP32",'
    b'"parameters":{"binary_data_size":8}},{"name":"x1","shape":[1,1],"datatype":"BYTES",'
    b'"parameters":{"binary_data_size":9}}],"outputs":[{"name":"y0"},{"name":"y1",'
    b'"parameters":{"binary_data":false}}],"parameters":{"binary_data_output":true}}'
    b"\x00\x00\x00?\x00\x00\x80\xbf\x05\x00\x00\x00gl\xc3\xbch"
)
MLSERVER = (
    b'{"id":"mine","parameters":{"content_type":"np","headers":{"x-a":"b"}},"inputs":[{"name":"x0",'
    b'"shape":[1,2],"datatype":"FP32","parameters":{"content_type":"np"},"data":[0.5,-1.0]},{"name":"x1",'
    b'"shape":[1,1],"datatype":"BYTES","parameters":{"content_type":"str"},"data":["gl\xc3\xbch"]}],'
    b'"outputs":[{"name":"y1"},{"name":"y0"}]}'
)
# A column of a data frame without values, and what KServe sends for a tensor without bytes.
NULLS = (
    b'{"id":null,"parameters":null,"inputs":[{"name":"x0","shape":[0,2],"datatype":"FP32","data":null,'
    b'"parameters":{"binary_data_size":0}},{"name":"x1","shape":[0,2],"datatype":"BYTES","parameters":null,'
    b'"data":[]}],"outputs":null}'
)

Y0 = {"name": "y0", "shape": [1, 2], "datatype": "FP32", "data": [0.5, -1.0]}
Y1 = {"name": "y1", "shape": [1, 1], "datatype": "BYTES", "data": ["gl\u00fch"]}
BINARY_Y0 = {"name": "y0", "shape": [1, 2], "datatype": "FP32", "parameters": {"binary_data_size": 8}}


@pytest.mark.parametrize(
    ("body", "outputs"), [(KSERVE_JSON, [Y0, Y1]), (MLSERVER, [Y1, Y0])], ids=["kserve", "mlserver"]
)
def test_json_is_answered_in_json(publish_identity: Any, call: Any, body: bytes, outputs: Any) -> None:
    publish_identity("FP32", "BYTES")

    answer = call("POST", "/v2/models/echo/infer", body.decode())

    assert answer.document == {
        "model_name": "echo",
        "model_version": "1",
        "outputs": outputs,
        "id": "mine",
    }


def test_binary_tensors_are_answered_as_each_output_asks(publish_identity: Any, call: Any) -> None:
    publish_identity("FP32", "BYTES")

    answer = call(
        "POST",
        "/v2/models/echo/infer",
        KSERVE_BINARY,
        content_type="application/octet-stream",
        headers={"inference-header-content-length": "325"},
    )

    length = int(answer.headers["inference-header-content-length"])
    assert json.loads(answer.body[:length])["outputs"] == [BINARY_Y0, Y1]
    assert answer.body[length:] == b"\x00\x00\x00?\x00\x00\x80\xbf"


def test_null_means_the_same_as_nothing(publish_identity: Any, call: Any) -> None:
    publish_identity("FP32", "BYTES")

    answer = call(
        "POST", "/v2/models/echo/infer", NULLS, headers={"inference-header-content-length": str(len(NULLS))}
    )

    # Read as a request without values, which no model is asked about.
    assert (answer.status, answer.document["code"]) == (422, "invalid-tensor")
    assert "holds no values" in answer.document["detail"]
