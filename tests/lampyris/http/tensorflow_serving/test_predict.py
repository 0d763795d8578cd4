"""`:predict` in row and column form. Examples are those of https://www.tensorflow.org/tfx/serving/api_rest."""

from typing import Any

import numpy as np
import pytest
from onnx import helper

URL = "/v1/models/half_plus_two:predict"
SENSORS_URL = "/v1/models/sensors:predict"
ROWS = [
    {"tag": "foo", "signal": [1, 2, 3, 4, 5], "sensor": [[1, 2], [3, 4]]},
    {"tag": "bar", "signal": [3, 4, 1, 2, 5], "sensor": [[4, 5], [6, 8]]},
]
COLUMNS = {
    "tag": ["foo", "bar"],
    "signal": [[1, 2, 3, 4, 5], [3, 4, 1, 2, 5]],
    "sensor": [[[1, 2], [3, 4]], [[4, 5], [6, 8]]],
}


def test_a_row_gets_a_prediction(publish_half_plus_two: Any, call: Any) -> None:
    publish_half_plus_two()

    answer = call("POST", URL, '{"instances": [1.0, 2.0, 5.0]}')

    assert answer.status == 200
    assert answer.document == {"predictions": [2.5, 3.0, 4.5]}


def test_a_column_gets_outputs(publish_half_plus_two: Any, call: Any) -> None:
    publish_half_plus_two()

    answer = call("POST", URL, {"inputs": [1.0, 2.0, 5.0]})

    assert answer.document == {"outputs": [2.5, 3.0, 4.5]}


@pytest.mark.parametrize(
    ("body", "member"),
    [
        ({"instances": [{"x": 1.0}, {"x": 2.0}]}, "predictions"),
        ({"inputs": {"x": [1.0, 2.0]}}, "outputs"),
    ],
)
def test_the_only_input_may_be_named_and_the_only_output_is_not(
    publish_half_plus_two: Any, call: Any, body: Any, member: str
) -> None:
    publish_half_plus_two()

    assert call("POST", URL, body).document == {member: [2.5, 3.0]}


def test_several_inputs_come_as_an_object_for_each_row(sensors: None, call: Any) -> None:
    answer = call("POST", SENSORS_URL, {"instances": ROWS})

    assert answer.document == {
        "predictions": [{f"{name}_out": value for name, value in row.items()} for row in ROWS]
    }


def test_several_inputs_come_as_an_object_of_columns(sensors: None, call: Any) -> None:
    answer = call("POST", SENSORS_URL, {"inputs": COLUMNS})

    assert answer.document == {"outputs": {f"{name}_out": value for name, value in COLUMNS.items()}}


def test_columns_need_not_have_the_same_number_of_rows(sensors: None, call: Any) -> None:
    answer = call("POST", SENSORS_URL, {"inputs": COLUMNS | {"tag": ["foo"]}})

    assert answer.document["outputs"]["tag_out"] == ["foo"]
    assert len(answer.document["outputs"]["signal_out"]) == 2


def test_an_input_without_dimensions_is_a_value_of_its_own(publish_echo: Any, call: Any) -> None:
    publish_echo("FP64", ())

    assert call("POST", "/v1/models/echo:predict", {"inputs": 1.5}).document == {"outputs": 1.5}


def test_a_row_form_answer_needs_outputs_by_row(publish_graph: Any, call: Any) -> None:
    publish_graph(
        "size",
        [helper.make_node("Shape", ["x"], ["shape"]), helper.make_node("Identity", ["x"], ["y"])],
        inputs={"x": ("FP32", (-1, 2))},
        outputs={"y": ("FP32", (-1, 2)), "shape": ("INT64", (2,))},
    )
    rows = [[1.0, 2.0]] * 3

    by_row = call("POST", "/v1/models/size:predict", {"instances": rows})
    by_column = call("POST", "/v1/models/size:predict", {"inputs": rows})

    assert (by_row.status, by_row.document["code"]) == (400, "malformed-request")
    assert "y [3, 2], shape [2]" in by_row.document["detail"]
    assert by_column.document == {"outputs": {"y": rows, "shape": [3, 2]}}


def test_what_json_cannot_carry_becomes_null(publish_graph: Any, call: Any) -> None:
    publish_graph(
        "log",
        [helper.make_node("Log", ["x"], ["y"])],
        inputs={"x": ("FP32", (-1,))},
        outputs={"y": ("FP32", (-1,))},
    )

    answer = call("POST", "/v1/models/log:predict", {"instances": [1.0, 0.0, -1.0]})

    assert answer.document == {"predictions": [0.0, None, None]}


def test_a_version_or_a_label_in_the_path_is_the_one_that_answers(
    publish_half_plus_two: Any, call: Any
) -> None:
    publish_half_plus_two(plus=2.0)
    publish_half_plus_two(plus=3.0)
    places = ["", "/versions/1", "/versions/2", "/labels/live"]

    answers = [
        call("POST", f"/v1/models/half_plus_two{place}:predict", {"instances": [0.0]}) for place in places
    ]

    assert [answer.document["predictions"] for answer in answers] == [[3.0], [2.0], [3.0], [3.0]]


@pytest.mark.parametrize("colon", ["%3A", "%3a"])
def test_the_colon_may_come_percent_encoded(publish_half_plus_two: Any, call: Any, colon: str) -> None:
    publish_half_plus_two()

    answer = call("POST", f"/v1/models/half_plus_two{colon}predict", {"instances": [0.0]})

    assert answer.document == {"predictions": [2.0]}


@pytest.mark.parametrize("name", ["serving_default", "", "tensorflow/serving/predict"])
def test_the_signature_may_be_named(publish_half_plus_two: Any, call: Any, name: str) -> None:
    publish_half_plus_two()

    answer = call("POST", URL, {"signature_name": name, "instances": [0.0]})

    assert answer.document == {"predictions": [2.0]}


def test_a_signature_that_no_model_has_is_refused(publish_half_plus_two: Any, call: Any) -> None:
    publish_half_plus_two()

    answer = call("POST", URL, {"signature_name": "serve_it", "instances": [0.0]})

    assert answer.status == 400
    assert "'serve_it'" in answer.document["detail"]
    assert "'serving_default'" in answer.document["detail"]


@pytest.mark.parametrize(
    ("body", "status", "said"),
    [
        ("", 400, "not valid JSON"),
        ("[1.0]", 400, "Expected `object`"),
        ({}, 400, "neither instances nor inputs"),
        ({"instances": [1.0], "inputs": [1.0]}, 400, "both instances and inputs"),
        ({"instances": []}, 400, "one instance at least"),
        ({"instances": 1.0}, 400, "$.instances"),
        ({"instances": [1.0], "signature_name": 3}, 400, "$.signature_name"),
        ('{"instances": [NaN]}', 400, "not valid JSON"),
        ({"instances": [1.0, "two"]}, 422, "Tensor 'x': instance 1: data holds strings"),
        ({"instances": [1.0, 1e39]}, 422, "Tensor 'x': instance 1: data holds a number too large for FP32"),
        ({"instances": [1.0, [2.0]]}, 422, "instance 1 has shape [1], instance 0 has []"),
        ({"instances": [1.0, None]}, 422, "Tensor 'x': instance 1: data holds null"),
        ({"instances": [1.0, {"x": 2.0}]}, 400, "instance 1 is an object of values by input name"),
        ({"instances": [{"x": 1.0}, 2.0]}, 400, "Instance 0 is an object of values by input name"),
        ({"instances": [{"x": 1.0}, {"z": 2.0}]}, 400, "has 'x'"),
        ({"instances": [{"z": 1.0}]}, 422, "Tensor 'z': the model has no such input; it takes x"),
        ({"instances": [{}]}, 422, "Tensor 'x': this input is missing"),
        ({"instances": [[[1.0]]]}, 422, "Tensor 'x': shape is [1, 1, 1]; the model wants [-1]"),
        ({"inputs": {"z": [1.0]}}, 422, "Tensor 'z'"),
        ({"inputs": None}, 422, "data holds null"),
        ({"inputs": 1.0}, 422, "shape is []; the model wants [-1]"),
        ({"inputs": [[1.0], [1.0, 2.0]]}, 422, "all rows must be of one length"),
        ({"inputs": {"b64": "AAAA"}}, 422, "data holds objects"),
    ],
)
def test_a_refusal_says_what_came_and_what_would_be_right(
    publish_half_plus_two: Any, call: Any, body: Any, status: int, said: str
) -> None:
    publish_half_plus_two()

    answer = call("POST", URL, body)

    assert (answer.status, said in answer.document["detail"]) == (status, True), answer.document["detail"]


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"instances": [1.0]}, "each instance as an object with them by name: tag, signal, sensor"),
        ({"inputs": [1.0]}, "inputs as an object with them by name: tag, signal, sensor"),
        ({"instances": [ROWS[0], {"tag": "bar"}]}, "Instance 0 has 'sensor', instance 1 has not"),
        ({"instances": [{"tag": "bar"}, ROWS[0]]}, "Instance 1 has 'sensor', instance 0 has not"),
    ],
)
def test_several_inputs_have_to_be_named(sensors: None, call: Any, body: Any, said: str) -> None:
    answer = call("POST", SENSORS_URL, body)

    assert answer.status == 400
    assert said in answer.document["detail"]


def test_an_uneven_instance_is_named_wherever_it_stands(sensors: None, call: Any) -> None:
    uneven = ROWS[1] | {"signal": [1, 2, 3]}

    answer = call("POST", SENSORS_URL, {"instances": [*ROWS, uneven]})

    assert answer.document["detail"] == (
        "Tensor 'signal': instance 2 has shape [3], instance 0 has [5]; all must have the same."
    )


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/v1/models/half_plus_two:predict", 405),
        ("POST", "/v1/models/half_plus_two", 405),
        ("POST", "/v1/models/half_plus_two:train", 404),
        ("POST", "/v1/models/half_plus_two/labels:predict", 404),
        ("POST", "/v1/models/half_plus_two/versions/1/infer:predict", 404),
        ("POST", "/v1/models/half_plus_two/versions/live:predict", 400),
        ("POST", "/v1/models/half_plus_two/versions/9:predict", 404),
        ("POST", "/v1/models/half_plus_two/labels/9:predict", 400),
        ("POST", "/v1/models/half_plus_two/labels/canary:predict", 404),
        ("POST", "/v1/models/half:predict", 404),
        ("POST", "/v1/models/:predict", 400),
        ("POST", "/v1/models/a:b:predict", 400),
    ],
)
def test_odd_paths_are_refused(
    publish_half_plus_two: Any, call: Any, method: str, path: str, status: int
) -> None:
    publish_half_plus_two()

    assert call(method, path, {"instances": [1.0]}).status == status


def test_many_rows_keep_their_order(publish_half_plus_two: Any, call: Any) -> None:
    publish_half_plus_two()
    x = np.arange(10_000)

    answer = call("POST", URL, {"instances": x.tolist()})

    np.testing.assert_array_equal(answer.document["predictions"], x / 2 + 2)
