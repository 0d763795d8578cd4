import json
from io import BytesIO
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper
from PIL import Image

from lampyris.domain.layout import blob_key
from lampyris.domain.signature import Signature, TensorSpec
from lampyris.domain.store import Store

ROWS = [[1.0] * 8, [0.0] * 8]


def infer_body(**changes: Any) -> dict[str, Any]:
    tensor = {"name": "features", "shape": [2, 8], "datatype": "FP32", "data": ROWS} | changes
    return {"id": "mine", "inputs": [tensor]}


def png(value: int, side: int = 4) -> bytes:
    file = BytesIO()
    Image.new("L", (side, side), value).save(file, "PNG")
    return file.getvalue()


@pytest.fixture
def both_models(publish_linear: Any, publish_picture: Any) -> None:
    publish_linear()
    publish_picture()


def log_lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_open_inference_answers_with_the_models_outputs(publish_linear: Any, call: Any) -> None:
    publish_linear()

    answer = call("POST", "/v2/models/glow/infer", infer_body())

    assert answer.status == 200
    assert answer.document["model_name"] == "glow"
    assert answer.document["model_version"] == "1"
    assert answer.document["id"] == "mine"
    (output,) = answer.document["outputs"]
    assert (output["name"], output["shape"], output["datatype"]) == ("p", [2, 3], "FP32")
    np.testing.assert_allclose(np.reshape(output["data"], (2, 3)).sum(axis=1), [1, 1], rtol=1e-6)


def test_a_version_in_the_path_is_the_one_that_answers(publish_linear: Any, call: Any) -> None:
    publish_linear(seed=1)
    publish_linear(seed=2)

    answers = [
        call("POST", f"/v2/models/glow{version}/infer", infer_body()) for version in ("", "/versions/1")
    ]

    assert [answer.document["model_version"] for answer in answers] == ["2", "1"]
    assert answers[0].document["outputs"] != answers[1].document["outputs"]


def test_plain_predictions_name_a_version_too(publish_linear: Any, call: Any) -> None:
    publish_linear(seed=1)
    publish_linear(seed=2)

    answer = call("POST", "/models/glow/versions/1/predict", {"inputs": ROWS})

    assert answer.document["version"] == 1


def test_rows_of_plain_json_get_labels_with_probabilities(publish_linear: Any, call: Any) -> None:
    publish_linear()

    answer = call("POST", "/models/glow/predict", {"inputs": ROWS})

    assert (answer.document["model"], answer.document["version"]) == ("glow", 1)
    first, second = answer.document["predictions"]
    assert (
        first["probabilities"][first["label"]] == first["probability"] == max(first["probabilities"].values())
    )
    np.testing.assert_allclose(list(second["probabilities"].values()), [1 / 3] * 3, rtol=1e-6)


def test_rows_may_be_given_by_input_name(publish_linear: Any, call: Any) -> None:
    publish_linear()

    named = call("POST", "/models/glow/predict", {"inputs": {"features": ROWS}})

    assert named.document == call("POST", "/models/glow/predict", {"inputs": ROWS}).document


@pytest.mark.parametrize(("value", "label"), [(255, "lit"), (0, "dark")])
def test_a_picture_gets_a_label(publish_picture: Any, call: Any, value: int, label: str) -> None:
    publish_picture()

    answer = call("POST", "/models/picture/predict", png(value, side=16), content_type="image/png")

    assert answer.document["predictions"] == [
        {
            "label": label,
            "probability": 1.0,
            "probabilities": {"dark": float(value == 0), "lit": float(value == 255)},
        }
    ]


def test_health_and_metadata_follow_the_protocol(publish_linear: Any, call: Any) -> None:
    publish_linear(seed=1)
    publish_linear(seed=2)

    assert call("GET", "/v2/health/live").document == {"live": True}
    assert call("GET", "/v2/health/ready").document == {"ready": True}
    assert call("GET", "/v2").document["name"] == "lampyris"
    assert call("GET", "/v2/models/glow/ready").document == {"name": "glow", "ready": True}
    assert call("GET", "/v2/models/glow/versions/1/ready").status == 200
    assert call("GET", "/v2/models/glow").document == {
        "name": "glow",
        "versions": ["1", "2"],
        "platform": "onnxruntime_onnx",
        "inputs": [{"name": "features", "datatype": "FP32", "shape": [-1, 8]}],
        "outputs": [{"name": "p", "datatype": "FP32", "shape": [-1, 3]}],
    }


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "code", "says"),
    [
        ("POST", "/v2/models/nope/infer", infer_body(), 404, "model-not-found", "'nope'"),
        ("POST", "/v2/models/glow/versions/9/infer", infer_body(), 404, "version-not-found", "version 9"),
        ("POST", "/v2/models/glow/versions/dev/infer", infer_body(), 404, "alias-not-found", "'dev'"),
        ("POST", "/v2/models/Glow/infer", infer_body(), 400, "invalid-name", "lower-case"),
        ("GET", "/nothing", "", 404, "route-not-found", "POST /models/{model}/predict"),
        ("GET", "/v2/nothing", "", 404, "route-not-found", "GET /v2/nothing"),
        ("GET", "/models/glow/predict", "", 405, "method-not-allowed", "use POST"),
        ("POST", "/v2/models/glow", "", 405, "method-not-allowed", "use GET"),
        ("POST", "/v2/models/glow/infer", "{", 400, "malformed-request", "not valid JSON"),
        ("POST", "/v2/models/glow/infer", "[" * 5000, 400, "malformed-request", "not such a request"),
        (
            "POST",
            "/v2/models/glow/infer",
            {"inputs": [{"name": "x"}]},
            400,
            "malformed-request",
            "$.inputs[0]",
        ),
        ("POST", "/v2/models/glow/infer", infer_body(datatype="FLOAT"), 400, "malformed-request", "FP32"),
        (
            "POST",
            "/v2/models/glow/infer",
            '{"inputs":[],"x":NaN}',
            400,
            "malformed-request",
            "not valid JSON",
        ),
        ("POST", "/v2/models/glow/infer", infer_body(name="x"), 422, "invalid-tensor", "it takes features"),
        (
            "POST",
            "/v2/models/glow/infer",
            infer_body(datatype="INT8", data=[1] * 16),
            422,
            "invalid-tensor",
            "wants FP32",
        ),
        (
            "POST",
            "/v2/models/glow/infer",
            infer_body(shape=[4, 4], data=[1] * 16),
            422,
            "invalid-tensor",
            "[-1, 8]",
        ),
        ("POST", "/v2/models/glow/infer", infer_body(shape=[3, 8]), 422, "invalid-tensor", "wants 24 values"),
        (
            "POST",
            "/v2/models/glow/infer",
            {"inputs": infer_body()["inputs"] * 2},
            422,
            "invalid-tensor",
            "twice",
        ),
        (
            "POST",
            "/v2/models/glow/infer",
            infer_body() | {"outputs": [{"name": "q"}]},
            422,
            "invalid-tensor",
            "gives p",
        ),
        ("POST", "/models/glow/predict", {"input": ROWS}, 400, "malformed-request", "input"),
        ("POST", "/models/glow/predict", {"inputs": {"x": ROWS}}, 422, "invalid-tensor", "it takes features"),
    ],
)
def test_bad_requests_get_a_problem_that_says_what_would_be_right(
    publish_linear: Any, call: Any, method: str, path: str, body: Any, status: int, code: str, says: str
) -> None:
    publish_linear()

    answer = call(method, path, body)

    assert answer.status == answer.document["status"] == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.document["type"] == f"urn:lampyris:problem:{code}"
    assert answer.document["code"] == code
    assert says in answer.document["detail"]
    assert answer.document["request_id"] == "req-1"


def test_what_is_no_image_is_refused(publish_picture: Any, call: Any) -> None:
    publish_picture()

    answer = call("POST", "/models/picture/predict", b"GIF89a", content_type="image/png")

    assert (answer.status, answer.document["code"]) == (422, "invalid-image")
    assert "PNG, JPEG." in answer.document["detail"]


def test_a_picture_for_a_model_of_numbers_is_refused(publish_linear: Any, call: Any) -> None:
    publish_linear()

    answer = call("POST", "/models/glow/predict", png(0), content_type="image/png")

    assert (answer.status, answer.document["code"]) == (422, "invalid-image")
    assert "features (FP32)" in answer.document["detail"]


def test_an_unknown_media_type_is_refused(publish_linear: Any, call: Any) -> None:
    publish_linear()

    answer = call("POST", "/models/glow/predict", b"x", content_type="application/pdf")

    assert (answer.status, answer.document["code"]) == (415, "unsupported-media-type")
    assert "application/json, image/png" in answer.document["detail"]


@pytest.mark.parametrize("body", ["%", "\u00e9"])
def test_a_body_that_is_not_base64_is_refused(function: Any, context: Any, body: str) -> None:
    event = {
        "rawPath": "/models/glow/predict",
        "requestContext": {"http": {"method": "POST"}},
        "body": body,
        "isBase64Encoded": True,
    }

    response = function.handle(event, context)

    assert json.loads(response["body"])["code"] == "malformed-request"


@pytest.mark.parametrize("path", ["/models/glow/predict", "/v2/models/glow/infer"])
def test_text_that_is_no_unicode_is_refused(publish_linear: Any, call: Any, path: str) -> None:
    publish_linear()

    answer = call("POST", path, '{"inputs": ["\ud800"]}')

    assert (answer.status, answer.document["code"]) == (400, "malformed-request")


def test_a_problem_repeats_no_more_than_a_page_of_what_was_sent(publish_linear: Any, call: Any) -> None:
    publish_linear()

    answer = call("POST", "/v2/models/glow/infer", infer_body(name="x" * 100_000))

    assert answer.status == 422
    assert len(answer.document["detail"]) <= 2000


def test_a_model_without_inputs_takes_no_rows(publish: Any, call: Any) -> None:
    nodes = [helper.make_node("Constant", [], ["y"], value_floats=[1.0, 2.0])]
    graph = helper.make_graph(nodes, "g", [], [helper.make_tensor_value_info("y", TensorProto.FLOAT, [2])])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    given = Signature(inputs=(), outputs=(TensorSpec(name="y", datatype="FP32", shape=(2,)),))
    publish("constant", model=model, signature=given)

    refused = call("POST", "/models/constant/predict", {"inputs": [1]})
    answered = call("POST", "/models/constant/predict", {"inputs": {}})

    assert (refused.status, refused.document["code"]) == (400, "malformed-request")
    assert answered.document["outputs"][0]["data"] == [1.0, 2.0]


def test_a_damaged_model_says_nothing_of_where_it_lies(publish_linear: Any, call: Any, store: Store) -> None:
    digest = publish_linear().artifact.graph.digest
    store.put(blob_key(digest), b"\0" * store.size_bytes(blob_key(digest)))

    answer = call("POST", "/models/glow/predict", {"inputs": ROWS})

    assert (answer.status, answer.document["code"]) == (503, "artifact-damaged")
    assert answer.headers["retry-after"] == "2"
    assert digest not in json.dumps(answer.document)


def test_a_damaged_document_says_nothing_of_what_it_holds(call: Any, store: Store) -> None:
    store.put("models/glow/aliases/live.json", b"not a document")

    answer = call("POST", "/models/glow/predict", {"inputs": ROWS})

    assert (answer.status, answer.document["code"]) == (503, "document-damaged")
    assert "glow" not in answer.document["detail"]


def test_server_timing_tells_the_parts_of_a_cold_start_once(publish_linear: Any, call: Any) -> None:
    publish_linear()

    first, second = (call("POST", "/models/glow/predict", {"inputs": ROWS}) for _ in range(2))

    names = [
        [part.partition(";")[0] for part in answer.headers["server-timing"].split(", ")]
        for answer in (first, second)
    ]
    assert names == [["init", "fetch", "session", "run", "total"], ["run", "total"]]
    assert "init;dur=12.500" in first.headers["server-timing"]


def test_each_request_leaves_one_line_with_metrics_and_no_payload(
    publish_linear: Any, call: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    publish_linear()
    call("POST", "/models/glow/predict", {"inputs": [[0.123456] * 8]})
    call("POST", "/models/nope/predict", {"inputs": [[0.123456] * 8]})

    good, bad = log_lines(capsys)

    assert (good["model"], good["version"], good["status"], good["request_id"]) == ("glow", "1", 200, "req-1")
    assert {"Duration", "Load", "Fetch", "Session"} <= good.keys()
    assert good["_aws"]["CloudWatchMetrics"][0]["Namespace"] == "Lampyris"
    assert (bad["status"], bad["code"], bad["Problems"]) == (404, "model-not-found", 1)
    assert "model" not in bad
    assert "0.123456" not in json.dumps([good, bad])


def test_an_error_of_ours_is_logged_with_its_trace(
    call: Any, store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    store.put("models/glow/aliases/live.json", b"not a document")

    call("POST", "/models/glow/predict", {"inputs": ROWS})

    error, request = log_lines(capsys)
    assert (error["level"], error["request_id"]) == ("ERROR", request["request_id"])
    assert error["exception_name"] in error["exception"]
    assert "routes.py" in error["exception"]


@given(
    body=st.binary(max_size=300) | st.text(max_size=300),
    path=st.sampled_from(["/v2/models/glow/infer", "/models/glow/predict", "/models/picture/predict"]),
    content_type=st.sampled_from(["application/json", "image/png", "image/jpeg", ""]),
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_random_bytes_are_never_an_error_of_ours(
    both_models: None, call: Any, body: bytes | str, path: str, content_type: str
) -> None:
    assert 400 <= call("POST", path, body, content_type=content_type).status < 500
