"""Each media type that `POST /models/{model}/predict` gives, and what of the answer a caller may ask for."""

import csv
import json
from io import BytesIO, StringIO
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lampyris.domain.signature import TensorSpec

PATH = "/models/glow/predict"
FEATURES = TensorSpec(name="features", datatype="FP32", shape=(-1, 8))
ROWS = st.lists(
    st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False), min_size=8, max_size=8),
    min_size=1,
    max_size=4,
)


@pytest.fixture
def echo(publish_echo: Any) -> None:
    publish_echo("echo", FEATURES)


def npy(values: Any) -> bytes:
    file = BytesIO()
    np.save(file, values)
    return file.getvalue()


@given(rows=ROWS)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=30)
def test_every_way_out_brings_the_same_rows(echo: None, call: Any, rows: list[list[float]]) -> None:
    def ask(accept: str) -> Any:
        return call("POST", "/models/echo/predict", {"inputs": rows}, headers={"accept": accept})

    header, *lines = csv.reader(StringIO(ask("text/csv").body.decode(), newline=""))
    objects = [json.loads(line) for line in ask("application/x-ndjson").body.splitlines()]

    wanted = np.array(rows, np.float32)
    assert header == [f"features_out_{place}" for place in range(8)]
    np.testing.assert_array_equal(np.array(lines, np.float32), wanted)
    np.testing.assert_array_equal(np.array([each["features_out"] for each in objects], np.float32), wanted)
    np.testing.assert_array_equal(np.load(BytesIO(ask("application/x-npy").body)), wanted)


@pytest.mark.parametrize(
    ("accept", "content_type"),
    [
        ("", "application/json"),
        ("text/csv, */*;q=0.1", "text/csv; charset=utf-8; header=present"),
        ("application/x-ndjson", "application/x-ndjson"),
        ("application/x-npy", "application/x-npy"),
    ],
)
def test_the_answer_says_what_it_is(publish_linear: Any, call: Any, accept: str, content_type: str) -> None:
    publish_linear()

    answer = call("POST", PATH, {"inputs": [[1] * 8]}, headers={"accept": accept})

    assert (answer.status, answer.headers["content-type"]) == (200, content_type)


def test_an_answer_in_no_form_that_is_offered_is_refused(publish_linear: Any, call: Any) -> None:
    publish_linear()

    answer = call("POST", PATH, {"inputs": [[1] * 8]}, headers={"accept": "text/html"})

    assert (answer.status, answer.document["code"], answer.document["title"]) == (
        406,
        "not-acceptable",
        "Not Acceptable",
    )
    assert "application/json, text/csv, application/x-ndjson, application/x-npy" in answer.document["detail"]


def test_the_best_labels_come_first(publish_linear: Any, call: Any) -> None:
    publish_linear(seed=3)
    rows = {"inputs": [[1] * 8, [-1] * 8]}

    everything = call("POST", PATH, rows).document["predictions"]
    best = call("POST", PATH, rows, query={"top": "2"}).document["predictions"]

    for one, top in zip(everything, best, strict=True):
        order = sorted(one["probabilities"].items(), key=lambda item: -item[1])
        assert [(each["label"], each["probability"]) for each in top["top"]] == order[:2]
        assert (top["label"], top["probability"]) == (one["label"], one["probability"]) == order[0]
        assert "probabilities" not in top


def test_the_best_labels_fit_lines_too(publish_linear: Any, call: Any) -> None:
    publish_linear(seed=3)
    rows = {"inputs": [[1] * 8, [-1] * 8]}

    table = call("POST", PATH, rows, query={"top": "1"}, headers={"accept": "text/csv"}).body.decode()
    lines = call("POST", PATH, rows, query={"top": "1"}, headers={"accept": "application/x-ndjson"}).body

    objects = [json.loads(line) for line in lines.splitlines()]
    assert [line.split(",")[0] for line in table.splitlines()] == [
        "label_1",
        *(each["label"] for each in objects),
    ]
    assert [len(each["top"]) for each in objects] == [1, 1]


@pytest.mark.parametrize("top", ["0", "4", "-1", "1.5", "", "all", "01", "1,2", "\u0661", "9" * 5000])
def test_top_is_a_number_of_labels(publish_linear: Any, call: Any, top: str) -> None:
    publish_linear()

    answer = call("POST", PATH, {"inputs": [[1] * 8]}, query={"top": top})

    assert (answer.status, answer.document["code"]) == (400, "malformed-request")
    assert "it may be 1 to 3, the number of the model's labels" in answer.document["detail"]


def test_top_is_for_labels(publish_echo: Any, publish_linear: Any, call: Any) -> None:
    publish_linear()
    publish_echo("echo", FEATURES)
    body = {"inputs": [[1] * 8]}

    answers = [
        call("POST", "/models/echo/predict", body, query={"top": "1"}),
        call("POST", PATH, body, query={"top": "1"}, headers={"accept": "application/x-npy"}),
    ]

    assert [(each.status, each.document["code"]) for each in answers] == [(400, "malformed-request")] * 2
    assert "labels of a classifier" in answers[0].document["detail"]


def test_an_output_may_be_chosen(publish_echo: Any, call: Any) -> None:
    specs = [TensorSpec(name=name, datatype="INT64", shape=(-1,)) for name in ("a", "b")]
    publish_echo("two", *specs)
    body = {"inputs": {"a": [1], "b": [2, 3]}}

    def ask(accept: str, **query: str) -> Any:
        return call("POST", "/models/two/predict", body, headers={"accept": accept}, query=query)

    assert [each["name"] for each in ask("*/*", output="b_out").document["outputs"]] == ["b_out"]
    assert np.load(BytesIO(ask("application/x-npy").body)).tolist() == [1]
    assert np.load(BytesIO(ask("application/x-npy", output="b_out").body)).tolist() == [2, 3]
    assert ask("text/csv", output="b_out").body == b"b_out\r\n2\r\n3\r\n"
    unknown = ask("*/*", output="c")
    assert (unknown.status, unknown.document["code"]) == (422, "invalid-tensor")
    assert "it gives a_out, b_out" in unknown.document["detail"]
    for accept in ("text/csv", "application/x-ndjson"):
        uneven = ask(accept)
        assert (uneven.status, uneven.document["code"]) == (406, "not-acceptable")
        assert "a_out: 1, b_out: 2" in uneven.document["detail"]


def test_labels_are_for_the_first_output_alone(publish_echo: Any, call: Any) -> None:
    specs = [TensorSpec(name=name, datatype="FP32", shape=(-1, 3)) for name in ("p", "x")]
    publish_echo("both", *specs, labels=("a", "b", "c"))
    body = {"inputs": {"p": [[0, 1, 0]], "x": [[1, 2, 3]]}}

    labels, chosen, other = (
        call("POST", "/models/both/predict", body, query=query).document
        for query in ({}, {"output": "p_out"}, {"output": "x_out"})
    )

    assert labels["predictions"][0]["label"] == chosen["predictions"][0]["label"] == "b"
    assert other["outputs"] == [{"name": "x_out", "shape": [1, 3], "datatype": "FP32", "data": [1, 2, 3]}]
    assert "predictions" not in other


def test_a_classifiers_probabilities_come_as_an_array(publish_linear: Any, call: Any) -> None:
    publish_linear()

    answer = call("POST", PATH, {"inputs": [[1] * 8]}, headers={"accept": "application/x-npy"})

    assert np.load(BytesIO(answer.body)).shape == (1, 3)


def test_what_is_not_finite_has_a_place_in_every_form(publish_echo: Any, call: Any) -> None:
    publish_echo("echo", TensorSpec(name="x", datatype="FP32", shape=(-1,)))
    body = npy(np.array([np.nan, np.inf, -np.inf, 1], np.float32))

    def ask(accept: str) -> Any:
        return call(
            "POST",
            "/models/echo/predict",
            body,
            content_type="application/x-npy",
            headers={"accept": accept},
        )

    assert ask("application/json").document["outputs"][0]["data"] == [None, None, None, 1]
    assert ask("application/x-ndjson").body.splitlines()[0] == b'{"x_out":null}'
    assert ask("text/csv").body == b"x_out\r\nnan\r\ninf\r\n-inf\r\n1.0\r\n"
    assert ask("application/x-npy").body == body


def test_a_probability_that_is_no_number_ranks_last(publish_echo: Any, call: Any) -> None:
    publish_echo("odd", TensorSpec(name="p", datatype="FP32", shape=(-1, 3)), labels=("a", "b", "c"))

    answer = call(
        "POST",
        "/models/odd/predict",
        npy(np.array([[np.nan, 0.25, 0.5]], np.float32)),
        content_type="application/x-npy",
        query={"top": "3"},
    )

    assert answer.document["predictions"][0]["top"] == [
        {"label": "c", "probability": 0.5},
        {"label": "b", "probability": 0.25},
        {"label": "a", "probability": None},
    ]


def test_a_single_value_is_one_row(publish_echo: Any, call: Any) -> None:
    publish_echo("scalar", TensorSpec(name="x", datatype="FP32", shape=()))

    def ask(accept: str) -> bytes:
        answer = call(
            "POST", "/models/scalar/predict", "2.5\n", content_type="text/csv", headers={"accept": accept}
        )
        assert answer.status == 200
        body: bytes = answer.body
        return body

    assert ask("text/csv") == b"x_out\r\n2.5\r\n"
    assert ask("application/x-ndjson") == b'{"x_out":2.5}\n'
    assert np.load(BytesIO(ask("application/x-npy"))).shape == ()
