"""`:classify` and `:regress`."""

import base64
from io import BytesIO
from typing import Any

import numpy as np
import pytest
from onnx import helper
from PIL import Image

CLASSIFY = "/v1/models/glow:classify"
REGRESS = "/v1/models/half_plus_two:regress"
FEATURES = [0.0] * 8


def test_classify_gives_each_example_a_score_for_each_label(publish_linear: Any, call: Any) -> None:
    publish_linear()
    rows = np.random.default_rng(1).normal(size=(2, 8)).tolist()

    answer = call("POST", CLASSIFY, {"examples": [{"features": row} for row in rows]})

    results = answer.document["results"]
    predictions = call("POST", "/v1/models/glow:predict", {"instances": rows}).document["predictions"]
    assert [[label for label, _ in scores] for scores in results] == [["dark", "dim", "lit"]] * 2
    assert [[score for _, score in scores] for scores in results] == predictions


def test_regress_gives_each_example_a_number(publish_half_plus_two: Any, call: Any) -> None:
    publish_half_plus_two()

    answer = call(
        "POST",
        REGRESS,
        '{"signature_name": "tensorflow/serving/regress", "examples": [{"x": 1.0}, {"x": 2.0}]}',
    )

    assert answer.document == {"results": [2.5, 3.0]}


def test_a_feature_may_be_a_list_of_one(publish_half_plus_two: Any, call: Any) -> None:
    publish_half_plus_two()

    answer = call("POST", REGRESS, {"examples": [{"x": [1.0]}, {"x": 2}]})

    assert answer.document == {"results": [2.5, 3.0]}


def test_a_column_of_one_number_is_a_regression_too(publish_echo: Any, call: Any) -> None:
    publish_echo("FP64", (-1, 1))

    answer = call("POST", "/v1/models/echo:regress", {"examples": [{"x": 1.5}, {"x": [2.5]}]})

    assert answer.document == {"results": [1.5, 2.5]}


def test_a_flat_list_takes_its_inputs_shape(publish_graph: Any, call: Any) -> None:
    publish_graph(
        "sum",
        [helper.make_node("ReduceSum", ["x", "axes"], ["y"], keepdims=0)],
        inputs={"x": ("FP32", (-1, 2, 2))},
        outputs={"y": ("FP32", (-1,))},
        constants={"axes": np.array([1, 2], np.int64)},
    )
    examples = [{"x": [1, 2, 3, 4]}, {"x": [5, 6, 7, 8]}]

    answer = call("POST", "/v1/models/sum:regress", {"examples": examples})

    assert answer.document == {"results": [10.0, 26.0]}


def test_the_context_belongs_to_every_example(publish_graph: Any, call: Any) -> None:
    publish_graph(
        "plus",
        [helper.make_node("Add", ["a", "b"], ["y"])],
        inputs={"a": ("FP32", (-1,)), "b": ("FP32", (-1,))},
        outputs={"y": ("FP32", (-1,))},
    )
    examples = [{"a": 1.0}, {"a": 2.0}]

    answer = call("POST", "/v1/models/plus:regress", {"context": {"b": 10.0}, "examples": examples})
    twice = call("POST", "/v1/models/plus:regress", {"context": {"a": 10.0}, "examples": examples})

    assert answer.document == {"results": [11.0, 12.0]}
    assert twice.status == 400
    assert "Example 0 has 'a', and so has context" in twice.document["detail"]


def test_pictures_are_classified(publish_picture: Any, call: Any) -> None:
    publish_picture()
    file = BytesIO()
    Image.new("L", (4, 4), 255).save(file, "PNG")
    white = {"b64": base64.b64encode(file.getvalue()).decode()}

    examples = [{"image": white}, {"image": [white]}]

    answer = call("POST", "/v1/models/picture:classify", {"examples": examples})
    flat = call("POST", "/v1/models/picture:classify", {"examples": [{"image": [255] * 16}] * 2})

    assert answer.document == {"results": [[["dark", 0.0], ["lit", 1.0]]] * 2}
    assert flat.document == answer.document


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("/v1/models/half_plus_two:classify", "cannot classify: it has no labels"),
        ("/v1/models/glow:regress", "cannot regress: it gives p (FP32 [-1, 3])"),
    ],
)
def test_a_model_does_what_it_can(
    publish_linear: Any, publish_half_plus_two: Any, call: Any, path: str, said: str
) -> None:
    publish_linear()
    publish_half_plus_two()

    answer = call("POST", path, {"examples": [{"x": 1.0}]})

    assert (answer.status, answer.document["code"]) == (400, "task-not-supported")
    assert said in answer.document["detail"]


@pytest.mark.parametrize(
    ("path", "labels"), [("/v1/models/first:regress", None), ("/v1/models/first:classify", ("lit",))]
)
def test_a_model_that_gives_fewer_rows_than_examples_is_no_match(
    publish_graph: Any, call: Any, path: str, labels: Any
) -> None:
    publish_graph(
        "first",
        [helper.make_node("ReduceMax", ["x"], ["y"], axes=[0], keepdims=1)],
        inputs={"x": ("FP32", (-1, 1))},
        outputs={"y": ("FP32", (-1, 1))},
        labels=labels,
    )

    answer = call("POST", path, {"examples": [{"x": 1.0}, {"x": 2.0}]})

    assert (answer.status, answer.document["code"]) == (400, "task-not-supported")
    assert "it gave 1 rows for 2 examples" in answer.document["detail"]


@pytest.mark.parametrize(
    ("body", "status", "said"),
    [
        ({}, 400, "missing required field `examples`"),
        ({"examples": []}, 400, "one example at least"),
        ({"examples": [1.0]}, 400, "$.examples[0]"),
        ({"examples": [{"features": FEATURES}], "context": []}, 400, "$.context"),
        ({"examples": [{"features": FEATURES}], "signature_name": "nope"}, 400, "'nope'"),
        ({"examples": [{}]}, 422, "Tensor 'features': this input is missing"),
        ({"examples": [{"features": FEATURES}, {}]}, 400, "Example 0 has 'features', example 1 has not"),
        ({"examples": [{"z": FEATURES}]}, 422, "Tensor 'z': the model has no such input; it takes features"),
        ({"examples": [{"features": [1.0] * 7}]}, 422, "shape is [1, 7]; the model wants [-1, 8]"),
        (
            {"examples": [{"features": FEATURES}, {"features": ["a"] * 8}]},
            422,
            "instance 1: data holds strings",
        ),
        ({"examples": [{"features": FEATURES}, {"features": [0.0] * 9}]}, 422, "instance 1 has shape [9]"),
    ],
)
def test_a_refusal_names_the_example(
    publish_linear: Any, call: Any, body: Any, status: int, said: str
) -> None:
    publish_linear()

    answer = call("POST", CLASSIFY, body)

    assert (answer.status, said in answer.document["detail"]) == (status, True), answer.document["detail"]
