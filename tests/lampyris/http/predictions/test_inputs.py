"""Each media type that `POST /models/{model}/predict` takes, through the function and over HTTP."""

import json
from io import BytesIO
from typing import Any

import httpx
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from lampyris.domain.signature import TensorSpec

PATH = "/models/glow/predict"
FEATURES = TensorSpec(name="features", datatype="FP32", shape=(-1, 8))
IN_TURN = settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=30
)

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


def picture(grey: int, kind: str = "PNG", side: int = 4) -> bytes:
    file = BytesIO()
    Image.new("L", (side, side), grey).save(file, kind)
    return file.getvalue()


def as_csv(rows: list[list[float]]) -> str:
    return "".join(",".join(map(repr, row)) + "\n" for row in rows)


def form(*parts: tuple[str, bytes], kind: str = "form-data") -> tuple[bytes, str]:
    body = b"".join(
        f'--x\r\nContent-Disposition: form-data; name="f"\r\nContent-Type: {media_type}\r\n\r\n'.encode()
        + data
        + b"\r\n"
        for media_type, data in parts
    )
    return body + b"--x--\r\n", f"multipart/{kind}; boundary=x"


def every_way_in(rows: list[list[float]]) -> list[tuple[Any, str]]:
    """Return the same rows in every form that carries numbers."""
    lines = "\n".join(map(json.dumps, rows))
    named = "\n".join(json.dumps({"features": row}) for row in rows)
    header = ",".join("abcdefgh")
    return [
        ({"inputs": rows}, "application/json"),
        ({"inputs": {"features": rows}}, "application/json; charset=utf-8"),
        (as_csv(rows), "text/csv"),
        (f"{header}\n{as_csv(rows)}", "text/csv"),
        (f"1,2,3,4,5,6,7,8\n{as_csv(rows)}".encode(), 'text/csv; header="present"'),
        (lines, "application/x-ndjson"),
        (named, "application/x-ndjson"),
        (npy(np.array(rows, np.float32)), "application/x-npy"),
        form(("text/csv", as_csv(rows).encode())),
        form(("application/x-npy", npy(np.array(rows, np.float32)))),
        form(("application/json", json.dumps({"inputs": rows}).encode()), kind="mixed"),
    ]


@given(rows=ROWS)
@IN_TURN
def test_every_way_in_brings_the_same_rows(echo: None, call: Any, rows: list[list[float]]) -> None:
    wanted = np.array(rows, np.float32)

    for body, content_type in every_way_in(rows):
        answer = call("POST", "/models/echo/predict", body, content_type=content_type)

        (output,) = answer.document["outputs"]
        np.testing.assert_array_equal(
            np.array(output["data"], np.float32).reshape(output["shape"]), wanted, content_type
        )


def test_columns_of_several_kinds_are_named_by_the_header(publish_echo: Any, call: Any) -> None:
    publish_echo(
        "people",
        TensorSpec(name="age", datatype="FP32", shape=(-1, 1)),
        TensorSpec(name="town", datatype="BYTES", shape=(-1,)),
    )

    answer = call(
        "POST",
        "/models/people/predict",
        'town,age\n"Ulm, Donau",40.5\n',
        content_type="text/csv",
        headers={"accept": "text/csv"},
    )

    assert answer.body == b'age_out,town_out\r\n40.5,"Ulm, Donau"\r\n'


def test_a_wrong_row_of_json_is_named(publish_linear: Any, call: Any) -> None:
    publish_linear()
    rows = [[1] * 8, [1] * 8, [1] * 7 + ["x"], [1]]

    answer = call("POST", PATH, {"inputs": rows})

    assert answer.status == 422
    assert "row 3: data holds strings; datatype FP32 wants numbers" in answer.document["detail"]


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_each_kind_of_picture_is_seen(publish_picture: Any, call: Any, kind: str) -> None:
    publish_picture()

    answer = call("POST", "/models/picture/predict", picture(255, kind), content_type=f"image/{kind.lower()}")

    assert answer.document["predictions"][0]["label"] == "lit"


@pytest.mark.parametrize("kind", ["form-data", "mixed"])
def test_pictures_of_a_form_are_answered_in_their_order(publish_picture: Any, call: Any, kind: str) -> None:
    publish_picture()
    greys = [(0, "PNG"), (255, "WEBP"), (51, "PNG"), (255, "JPEG")]
    body, content_type = form(
        *((f"image/{kind.lower()}", picture(grey, kind, 9)) for grey, kind in greys), kind=kind
    )

    answer = call("POST", "/models/picture/predict", body, content_type=content_type)

    found = [each["probabilities"]["lit"] for each in answer.document["predictions"]]
    np.testing.assert_allclose(found, [grey / 255 for grey, _ in greys], atol=0.01)


@pytest.mark.parametrize(
    ("parts", "status", "says"),
    [
        ([("image/png", picture(0)), ("image/png", b"no picture")], 422, "Image 2 cannot be read"),
        (
            [("image/png", picture(0)), ("text/csv", b"1\n")],
            400,
            "Part 2 of 2 is 'text/csv'; several parts may",
        ),
        ([("text/csv", b"1\n")] * 2, 400, "Part 1 of 2 is 'text/csv'"),
        ([("text/plain", b"1\n")], 415, "'text/plain'; send one of application/json, image/png"),
        ([("multipart/mixed; boundary=x", b"1\n")], 415, "multipart/mixed"),
        ([("image/png", picture(0))] * 1001, 413, "more than the 1,000 parts"),
    ],
)
def test_forms_that_are_refused_name_the_part(
    publish_picture: Any, call: Any, parts: list[tuple[str, bytes]], status: int, says: str
) -> None:
    publish_picture()
    body, content_type = form(*parts)

    answer = call("POST", "/models/picture/predict", body, content_type=content_type)

    assert (answer.status, says in answer.document["detail"]) == (status, True), answer.document["detail"]


def test_files_go_up_over_http(publish_picture: Any, publish_linear: Any, address: str) -> None:
    publish_picture()
    publish_linear()
    with httpx.Client(base_url=f"http://{address}/models", trust_env=False) as http:
        pictures = http.post(
            "/picture/predict",
            files=[
                ("file", (f"{grey}.{kind}", picture(grey, kind)))
                for grey, kind in ((255, "webp"), (0, "png"))
            ],
        )
        table = http.post(
            "/glow/predict?top=1",
            files={"data": ("rows.csv", as_csv([[0.5] * 8] * 2))},
            headers={"accept": "text/csv"},
        )
        array = http.post(
            "/glow/predict",
            content=npy(np.ones((2, 8), np.float32)),
            headers={"content-type": "application/x-npy", "accept": "application/x-npy"},
        )

    assert [each["label"] for each in pictures.json()["predictions"]] == ["lit", "dark"]
    assert table.headers["content-type"].startswith("text/csv")
    assert len(table.text.splitlines()) == 3
    assert np.load(BytesIO(array.content)).shape == (2, 3)


@pytest.mark.parametrize(
    "content_type", ["text/csv", "application/x-ndjson", "image/png", "application/x-npy"]
)
def test_text_that_is_no_unicode_is_refused(publish_linear: Any, call: Any, content_type: str) -> None:
    publish_linear()

    answer = call("POST", PATH, "\ud800", content_type=content_type)

    assert (answer.status, answer.document["code"]) == (400, "malformed-request")


MEDIA_TYPES = [
    "application/json",
    "image/png",
    "image/webp",
    "text/csv",
    "text/csv; header=present",
    "application/x-ndjson",
    "application/x-npy",
    "multipart/form-data; boundary=x",
    "multipart/mixed",
]
BODIES = (
    st.binary(max_size=300)
    | st.text(max_size=300)
    | st.tuples(st.sampled_from(MEDIA_TYPES), st.binary(max_size=100)).map(lambda part: form(part)[0])
    | st.text('0123,.e-\n[]{}":x', max_size=100)
)


@pytest.fixture
def every_model(publish_linear: Any, publish_picture: Any, publish_echo: Any) -> None:
    publish_linear()
    publish_picture()
    publish_echo(
        "people",
        TensorSpec(name="age", datatype="FP32", shape=(-1, 1)),
        TensorSpec(name="x", datatype="BYTES", shape=(-1,)),
    )
    publish_echo("text", TensorSpec(name="x", datatype="BYTES", shape=(-1,)))


@given(
    body=BODIES,
    model=st.sampled_from(["glow", "picture", "people", "text"]),
    content_type=st.sampled_from(MEDIA_TYPES),
    accept=st.sampled_from(["*/*", "text/csv", "application/x-ndjson", "application/x-npy"])
    | st.text(max_size=20),
    query=st.dictionaries(
        st.sampled_from(["top", "output"]), st.sampled_from(["1", "2", "p", "x_out"]) | st.text(max_size=5)
    ),
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=300)
def test_nothing_that_a_caller_sends_is_an_error_of_ours(
    every_model: None, call: Any, body: Any, model: str, content_type: str, accept: str, query: dict[str, str]
) -> None:
    answer = call(
        "POST",
        f"/models/{model}/predict",
        body,
        content_type=content_type,
        headers={"accept": accept},
        query=query,
    )

    assert answer.status < 500, answer.body
    assert answer.status == 200 or answer.document["status"] == answer.status
