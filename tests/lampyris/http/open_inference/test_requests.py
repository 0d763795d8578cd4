import json
import struct
from typing import Any

import numpy as np
import pytest

X0 = {"name": "x0", "shape": [1, 2], "datatype": "FP32"}
BINARY_X0 = X0 | {"parameters": {"binary_data_size": 8}}
JSON_X0 = X0 | {"data": [0.5, -1.0]}
TWO = struct.pack("<2f", 0.5, -1.0)
PATH = "/v2/models/echo/infer"


def send(call: Any, document: Any, tail: bytes = b"", *, length: str | None = None) -> Any:
    """Send JSON with bytes behind it, as the extension for binary tensors says."""
    head = json.dumps(document).encode()
    headers = {"Inference-Header-Content-Length": str(len(head)) if length is None else length}
    return call("POST", PATH, head + tail, content_type="application/octet-stream", headers=headers)


def test_a_model_and_its_versions_are_asked_by_number_or_alias(publish_identity: Any, call: Any) -> None:
    publish_identity("FP32")

    paths = [PATH, "/v2/models/echo/versions/1/infer", "/v2/models/echo/versions/live/infer"]
    answers = [call("POST", path, {"inputs": [JSON_X0]}) for path in paths]

    assert [answer.document["outputs"][0]["data"] for answer in answers] == [[0.5, -1.0]] * 3


def test_binary_tensors_are_answered_in_json_unless_asked_for(publish_identity: Any, call: Any) -> None:
    publish_identity("FP32")

    answer = send(call, {"inputs": [BINARY_X0]}, TWO)

    assert answer.headers["content-type"] == "application/json"
    assert answer.document["outputs"] == [
        {"name": "y0", "shape": [1, 2], "datatype": "FP32", "data": [0.5, -1.0]}
    ]


@pytest.mark.parametrize(
    ("overall", "own", "binary"),
    [
        ({"binary_data_output": True}, None, True),
        ({"binary_data_output": True}, {"binary_data": False}, False),
        ({"binary_data_output": True}, {}, True),
        ({}, {"binary_data": True}, True),
        (None, {"binary_data": True}, True),
        (None, {"other": [1]}, False),
    ],
)
def test_an_output_says_itself_how_it_shall_come(
    publish_identity: Any,
    call: Any,
    overall: Any,
    own: Any,
    binary: Any,
) -> None:
    publish_identity("FP32")

    answer = call(
        "POST",
        PATH,
        {"inputs": [JSON_X0], "outputs": [{"name": "y0", "parameters": own}], "parameters": overall},
    )

    assert ("inference-header-content-length" in answer.headers) is binary


def test_a_binary_answer_is_json_then_bytes(publish_identity: Any, call: Any) -> None:
    publish_identity("FP32")

    answer = send(
        call, {"id": "mine", "inputs": [BINARY_X0], "parameters": {"binary_data_output": True}}, TWO
    )

    length = int(answer.headers["inference-header-content-length"])
    assert answer.headers["content-type"] == "application/octet-stream"
    assert json.loads(answer.body[:length]) == {
        "model_name": "echo",
        "model_version": "1",
        "id": "mine",
        "outputs": [
            {"name": "y0", "shape": [1, 2], "datatype": "FP32", "parameters": {"binary_data_size": 8}}
        ],
    }
    assert answer.body[length:] == TWO


def test_a_body_without_json_is_the_only_input(publish_identity: Any, call: Any) -> None:
    publish_identity("FP32", shape=(-1, 2))
    publish_identity("BYTES", name="words", shape=(1, -1))
    raw = {"inference-header-content-length": "0"}

    numbers = call("POST", PATH, TWO * 3, headers=raw, content_type="application/octet-stream")
    words = call("POST", "/v2/models/words/infer", b"gl\xc3\xbch", headers=raw, content_type="")

    length = int(numbers.headers["inference-header-content-length"])
    assert json.loads(numbers.body[:length])["outputs"][0]["shape"] == [3, 2]
    assert numbers.body[length:] == TWO * 3
    assert words.body.endswith(b"\5\0\0\0gl\xc3\xbch")


def test_parameters_that_mean_nothing_here_are_accepted(publish_identity: Any, call: Any) -> None:
    publish_identity("FP32")
    unknown = {"sequence_id": 7, "priority": 1, "timeout": 5, "headers": {"a": ["b"]}, "content_type": "np"}

    answer = call(
        "POST",
        PATH,
        {
            "inputs": [JSON_X0 | {"parameters": unknown}],
            "outputs": [{"name": "y0", "parameters": unknown}],
            "parameters": unknown,
            "model_name": "echo",
        },
    )

    assert answer.status == 200
    assert answer.document.keys() == {"model_name", "model_version", "outputs"}


def test_numbers_that_json_cannot_carry_are_null(publish_identity: Any, call: Any) -> None:
    publish_identity("FP32")

    answer = send(call, {"inputs": [BINARY_X0]}, struct.pack("<2f", np.nan, -np.inf))

    assert answer.document["outputs"][0]["data"] == [None, None]


@pytest.mark.parametrize("length", ["-1", "", "ten", "1e1", "9999", "0" * 5000, "\u0661", "1, 2"])
def test_a_header_length_that_is_none_is_refused(publish_identity: Any, call: Any, length: str) -> None:
    publish_identity("FP32")

    answer = send(call, {"inputs": [BINARY_X0]}, TWO, length=length)

    assert (answer.status, answer.document["code"]) == (400, "malformed-request")
    assert "must be the length of the JSON" in answer.document["detail"]


@pytest.mark.parametrize("by", [-1, 1])
def test_a_header_length_that_is_off_by_one_is_refused(publish_identity: Any, call: Any, by: int) -> None:
    publish_identity("FP32")
    document = {"inputs": [BINARY_X0]}

    answer = send(call, document, TWO, length=str(len(json.dumps(document)) + by))

    assert (answer.status, answer.document["code"]) == (400, "malformed-request")


@pytest.mark.parametrize(
    ("inputs", "tail", "status", "says"),
    [
        ([BINARY_X0], TWO[:-1], 422, "binary_data_size is 8, but 7 bytes are left"),
        ([BINARY_X0], b"", 422, "but 0 bytes are left"),
        ([BINARY_X0], TWO + b"\0", 400, "add up to 8; 9 bytes follow"),
        ([JSON_X0], TWO, 400, "add up to 0; 8 bytes follow"),
        ([X0 | {"parameters": {"binary_data_size": -8}}], TWO, 422, "binary_data_size is -8"),
        ([X0 | {"parameters": {"binary_data_size": 10**30}}], TWO, 422, "binary_data_size is 1,000,000,"),
        ([X0 | {"parameters": {"binary_data_size": "8"}}], TWO, 400, "$.inputs[0].parameters.binary_data"),
        ([X0 | {"parameters": {"binary_data_size": True}}], TWO, 400, "$.inputs[0].parameters.binary_data"),
        ([X0 | {"parameters": {"binary_data_size": 4}}], TWO[:4], 422, "wants 8 bytes, but there are 4"),
        ([JSON_X0 | BINARY_X0], TWO, 422, "one of both"),
        ([X0], b"", 422, "give its values as data"),
        ([X0 | {"parameters": {"shared_memory_region": "r"}}], b"", 422, "give its values as data"),
        ([BINARY_X0, BINARY_X0], TWO * 2, 422, "given twice"),
        ([BINARY_X0 | {"shape": [2]}], TWO, 422, "the model wants [-1, -1]"),
        ([BINARY_X0 | {"datatype": "INT32"}], TWO, 422, "the model wants FP32"),
        ([BINARY_X0 | {"name": "x9"}], TWO, 422, "it takes x0"),
        ([], b"", 422, "this input is missing"),
    ],
)
def test_lengths_are_held_to_the_byte(
    publish_identity: Any, call: Any, inputs: Any, tail: bytes, status: int, says: str
) -> None:
    publish_identity("FP32")

    answer = send(call, {"inputs": inputs}, tail)

    assert answer.status == status
    assert says in answer.document["detail"]
    assert answer.document["error"] == answer.document["detail"]


@pytest.mark.parametrize(("tail", "status"), [(b"", 422), (TWO, 400)])
def test_binary_data_without_the_header_are_refused(
    publish_identity: Any, call: Any, tail: bytes, status: int
) -> None:
    publish_identity("FP32")
    body = json.dumps({"inputs": [BINARY_X0]}).encode() + tail

    answer = call("POST", PATH, body, content_type="application/octet-stream")

    assert answer.status == status
    assert "Inference-Header-Content-Length" in answer.document["detail"]


def test_text_that_is_no_unicode_is_refused(publish_identity: Any, call: Any) -> None:
    publish_identity("FP32")

    answer = call("POST", PATH, '{"id":"\ud800"}', headers={"inference-header-content-length": "11"})

    assert (answer.status, answer.document["code"]) == (400, "malformed-request")


def test_binary_data_marked_as_text_are_refused_as_they_may_be_damaged(
    publish_identity: Any, call: Any
) -> None:
    publish_identity("FP32")
    head = json.dumps({"inputs": [BINARY_X0]})

    answer = call("POST", PATH, head + "\0" * 8, headers={"inference-header-content-length": str(len(head))})

    assert answer.status == 400
    assert "send application/octet-stream" in answer.document["detail"]


@pytest.mark.parametrize(
    ("outputs", "status", "says"),
    [
        ([{"name": "y9"}], 422, "it gives y0, y1"),
        ([{"name": "y0"}, {"name": "y0"}], 422, "asked for twice"),
        ([{"name": "y0", "parameters": {"shared_memory_region": "r"}}], 422, "shared memory"),
        ([{"name": "y1", "parameters": {"classification": 1}}], 422, "holds strings"),
        ([{"name": "y0", "parameters": {"classification": -1}}], 400, "classification"),
        ([{"name": "y0", "parameters": {"binary_data": "yes"}}], 400, "binary_data"),
    ],
)
def test_outputs_that_cannot_be_given_are_refused(
    publish_identity: Any, call: Any, outputs: Any, status: int, says: str
) -> None:
    publish_identity("FP32", "BYTES")
    words = {"name": "x1", "shape": [1, 1], "datatype": "BYTES", "data": ["a"]}

    answer = call("POST", PATH, {"inputs": [JSON_X0, words], "outputs": outputs})

    assert answer.status == status
    assert says in answer.document["detail"]


@pytest.mark.parametrize("shape", [(-1, -1), (2,)])
def test_a_body_without_json_wants_a_shape_that_follows(
    publish_identity: Any, call: Any, shape: tuple[int, ...]
) -> None:
    publish_identity("FP32", shape=shape)

    answer = call(
        "POST",
        PATH,
        bytes(12),
        content_type="application/octet-stream",
        headers={"inference-header-content-length": "0"},
    )

    assert 400 <= answer.status < 500


@pytest.mark.parametrize(
    "value", ["1e999", "-1e999", "1e39", "true", "null", '"1"', "NaN", "Infinity", "[1]"]
)
def test_what_is_no_number_for_the_datatype_never_becomes_one(
    publish_identity: Any, call: Any, value: str
) -> None:
    publish_identity("FP32")
    body = '{"inputs":[{"name":"x0","shape":[1,2],"datatype":"FP32","data":[0.5,VALUE]}]}'

    answer = call("POST", PATH, body.replace("VALUE", value))

    assert answer.status in {400, 422}
