"""Responses as Lambda takes them: text or base64, compressed where asked for, a link where too large."""

import base64
import gzip
import json
import zlib
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, helper

from lampyris.domain.signature import Signature, TensorSpec
from lampyris.domain.store import Store
from lampyris.errors import ResponseTooLarge
from lampyris.http.event import Request, Response
from lampyris.http.large_answer import ANSWER_LIMIT_BYTES, linked_reply
from lampyris.http.reply import Reply
from lampyris.http.response import RESPONSE_LIMIT_BYTES, response_of

LAMBDAS_LIMIT_BYTES = 6 * 2**20
LETTERS = "glow" * (RESPONSE_LIMIT_BYTES // 2)


def asking(encoding: str) -> Request:
    return Request(method="POST", path="/", headers={"accept-encoding": encoding})


def linked(response: Response, store: Store) -> bytes:
    """What is found where the response's Location points."""
    return store.get(response["headers"]["location"].removeprefix("memory:///")).data


def noise(size_bytes: int) -> bytes:
    return np.random.default_rng(0).bytes(size_bytes)


def test_text_goes_as_it_is_and_bytes_go_as_base64() -> None:
    text = response_of(Reply(body="{}"))
    data = response_of(Reply(body=b"\x00\xff", media_type="application/octet-stream"))

    assert (text["body"], text["isBase64Encoded"]) == ("{}", False)
    assert (data["body"], data["isBase64Encoded"]) == ("AP8=", True)
    assert data["headers"]["content-type"] == "application/octet-stream"


@pytest.mark.parametrize(("encoding", "decode"), [("gzip", gzip.decompress), ("deflate", zlib.decompress)])
def test_body_is_compressed_as_asked_for(encoding: str, decode: Any) -> None:
    response = response_of(Reply(body="glow" * 10_000), asking(encoding))

    assert response["headers"]["content-encoding"] == encoding
    assert decode(base64.b64decode(response["body"])) == b"glow" * 10_000


def test_answer_over_lambdas_limit_goes_to_the_store_and_the_response_says_where(store: Store) -> None:
    before = datetime.now(UTC)

    response = response_of(Reply(body=LETTERS), Request(method="POST", path="/"), store)

    answer = json.loads(response["body"])["answer"]
    assert response["statusCode"] == 303
    assert response["headers"]["location"] == answer["url"]
    assert linked(response, store) == LETTERS.encode()
    assert (answer["media_type"], answer["size_bytes"]) == ("application/json", len(LETTERS))
    assert datetime.fromisoformat(answer["expires_at"]) - before == pytest.approx(
        timedelta(hours=1), abs=timedelta(minutes=1)
    )


def test_headers_of_a_stored_answer_stand_in_the_response(store: Store) -> None:
    reply = Reply(
        body=noise(RESPONSE_LIMIT_BYTES),
        media_type="application/octet-stream",
        headers={"inference-header-content-length": "12"},
    )

    response = response_of(reply, Request(method="POST", path="/"), store)

    assert "inference-header-content-length" not in response["headers"]
    assert json.loads(response["body"])["answer"]["headers"] == {
        "content-type": "application/octet-stream",
        "inference-header-content-length": "12",
    }


def test_answer_that_compressing_makes_small_enough_is_sent(store: Store) -> None:
    response = response_of(Reply(body=LETTERS), asking("gzip"), store)

    assert response["statusCode"] == 200
    assert gzip.decompress(base64.b64decode(response["body"])) == LETTERS.encode()


def test_answer_that_stays_too_large_is_stored_compressed(store: Store) -> None:
    body = noise(RESPONSE_LIMIT_BYTES)

    response = response_of(Reply(body=body, media_type="application/x-npy"), asking("gzip"), store)

    assert gzip.decompress(linked(response, store)) == body
    assert json.loads(response["body"])["answer"]["headers"]["content-encoding"] == "gzip"


def test_each_answer_has_a_name_of_its_own(store: Store) -> None:
    places = {response_of(Reply(body=LETTERS), None, store)["headers"]["location"] for _ in range(3)}

    assert len(places) == 3


def test_answer_over_every_limit_is_refused_with_a_way_out(store: Store) -> None:
    body = bytes(ANSWER_LIMIT_BYTES + 1)

    with pytest.raises(ResponseTooLarge, match="fewer rows"):
        linked_reply(body, {"content-type": "x/y"}, store, answer="0" * 32, now=datetime.now(UTC))


def test_answer_too_large_without_a_store_is_refused() -> None:
    with pytest.raises(ResponseTooLarge, match="fewer rows"):
        response_of(Reply(body=LETTERS))


@given(
    letters=st.sampled_from(['"', "\\", "\n", "\r\n", "\t", "\x00", "a", "é", "光", "💡"]),
    beside=st.integers(-3, 3),
)
def test_response_never_exceeds_lambdas_limit(letters: str, beside: int) -> None:
    each = len(json.dumps(letters, ensure_ascii=False).encode()) - 2
    body = letters * (RESPONSE_LIMIT_BYTES // each + beside)

    try:
        response = response_of(Reply(body=body))
    except ResponseTooLarge:
        assert beside > -3
    else:
        assert len(json.dumps(response, ensure_ascii=False).encode()) <= LAMBDAS_LIMIT_BYTES


def test_prediction_over_lambdas_limit_is_linked_and_measured_in_bytes(
    publish: Any, call: Any, store: Store
) -> None:
    words = [helper.make_tensor_value_info(name, TensorProto.STRING, ["n"]) for name in ("x", "y")]
    graph = helper.make_graph([helper.make_node("Identity", ["x"], ["y"])], "g", words[:1], words[1:])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    specs = [TensorSpec(name=name, datatype="BYTES", shape=(-1,)) for name in ("x", "y")]
    publish("echo", model=model, signature=Signature(inputs=(specs[0],), outputs=(specs[1],)))
    word = "\u5149" * (RESPONSE_LIMIT_BYTES * 2 // 5)

    answer = call("POST", "/models/echo/predict", {"inputs": [word]})

    assert answer.status == 303
    stored = json.loads(store.get(answer.headers["location"].removeprefix("memory:///")).data)
    assert stored["outputs"][0]["data"] == [word]
    assert answer.headers["server-timing"]
