import base64
from io import BytesIO
from typing import Any

import numpy as np
import pytest
from PIL import Image

ECHO_URL = "/v1/models/echo:predict"
PICTURE_URL = "/v1/models/picture:predict"


def b64(data: bytes) -> dict[str, str]:
    return {"b64": base64.b64encode(data).decode()}


def picture(value: int, *, side: int = 4, form: str = "PNG") -> bytes:
    file = BytesIO()
    Image.new("L", (side, side), value).save(file, form)
    return file.getvalue()


def test_base64_stands_for_a_string(publish_echo: Any, call: Any) -> None:
    publish_echo("BYTES", (-1, 2))
    rows = [[b64(b"image bytes"), "plain"], ["plain", b64("gl\u00fchen".encode())]]

    by_row = call("POST", ECHO_URL, {"instances": rows})
    by_column = call("POST", ECHO_URL, {"inputs": rows})

    assert by_row.document == {"predictions": [["image bytes", "plain"], ["plain", "gl\u00fchen"]]}
    assert by_column.document["outputs"] == by_row.document["predictions"]


def test_a_list_of_base64_is_no_list_of_objects_by_name(publish_echo: Any, call: Any) -> None:
    publish_echo("BYTES", (-1,))

    answer = call("POST", ECHO_URL, {"instances": [b64(b"a"), b64(b"b")]})

    assert answer.document == {"predictions": ["a", "b"]}


@pytest.mark.parametrize("text", ["YWJjZA==", "YWJjZA", "YWJj\nZA==\n", " YWJj ZA== "])
def test_base64_may_lack_padding_and_have_line_breaks(publish_echo: Any, call: Any, text: str) -> None:
    publish_echo("BYTES", (-1,))

    assert call("POST", ECHO_URL, {"instances": [{"b64": text}]}).document == {"predictions": ["abcd"]}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("Y", "not base64"),
        ("YW!j", "not base64"),
        ("YWJj=ZA", "not base64"),
        ("\u00e4\u00e4\u00e4\u00e4", "not base64"),
        ("/w==", "not UTF-8"),
    ],
)
def test_what_is_no_base64_of_text_is_refused(publish_echo: Any, call: Any, text: str, said: str) -> None:
    publish_echo("BYTES", (-1,))

    answer = call("POST", ECHO_URL, {"instances": ["fine", {"b64": text}]})

    assert answer.status == 422
    assert answer.document["detail"].startswith("Tensor 'x': instance 1: a b64 value is")
    assert said in answer.document["detail"]


def test_an_output_that_says_so_is_bytes(publish_echo: Any, call: Any) -> None:
    publish_echo("BYTES", (-1, 2), output="image_bytes")

    by_row = call("POST", ECHO_URL, {"instances": [["a", "\u00fc"]]})
    by_column = call("POST", ECHO_URL, {"inputs": [["a", "\u00fc"]]})

    assert by_row.document == {"predictions": [[b64(b"a"), b64("\u00fc".encode())]]}
    assert by_column.document == {"outputs": by_row.document["predictions"]}


def test_an_output_of_bytes_without_dimensions_is_one_value(publish_echo: Any, call: Any) -> None:
    publish_echo("BYTES", (), output="image_bytes")

    assert call("POST", ECHO_URL, {"inputs": b64(b"a")}).document == {"outputs": b64(b"a")}


@pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP"])
@pytest.mark.parametrize("member", ["instances", "inputs"])
def test_pictures_come_as_base64(publish_picture: Any, call: Any, form: str, member: str) -> None:
    publish_picture()
    pictures = [b64(picture(value, side=16, form=form)) for value in (255, 0, 255)]

    answer = call("POST", PICTURE_URL, {member: pictures})

    (rows,) = answer.document.values()
    np.testing.assert_array_equal(rows, [[0, 1], [1, 0], [0, 1]])


def test_pictures_may_be_named(publish_picture: Any, call: Any) -> None:
    publish_picture()
    white = b64(picture(255))

    by_row = call("POST", PICTURE_URL, {"instances": [{"image": white}]})
    by_column = call("POST", PICTURE_URL, {"inputs": {"image": [white]}})

    assert by_row.document == {"predictions": [[0.0, 1.0]]}
    assert by_column.document == {"outputs": [[0.0, 1.0]]}


def test_a_model_of_pictures_takes_pixels_too(publish_picture: Any, call: Any) -> None:
    publish_picture()
    white = np.full((1, 4, 4, 1), 255).tolist()

    assert call("POST", PICTURE_URL, {"instances": white}).document == {"predictions": [[0.0, 1.0]]}


@pytest.mark.parametrize(
    ("instance", "said"),
    [
        (b64(b"no picture"), "Image 2 cannot be read"),
        ({"b64": "!"}, "Image 2 is not base64"),
        (np.full((4, 4, 1), 255).tolist(), "Image 2 is none, as others are"),
    ],
)
def test_what_is_no_picture_among_pictures_is_named(
    publish_picture: Any, call: Any, instance: Any, said: str
) -> None:
    publish_picture()

    answer = call("POST", PICTURE_URL, {"instances": [b64(picture(255)), instance]})

    assert (answer.status, said in answer.document["detail"]) == (422, True), answer.document["detail"]


def test_one_picture_is_not_a_list_of_pictures(publish_picture: Any, call: Any) -> None:
    publish_picture()

    answer = call("POST", PICTURE_URL, {"inputs": b64(picture(255))})

    assert answer.status == 422
    assert "shape is [4, 4, 1]; the model wants [-1, 4, 4, 1]" in answer.document["detail"]


def test_pictures_of_any_size_have_to_be_of_one(publish_echo: Any, call: Any) -> None:
    publish_echo("UINT8", (-1, -1, -1, 1))

    alike = call("POST", ECHO_URL, {"instances": [b64(picture(7, side=3))] * 2})
    unlike = call("POST", ECHO_URL, {"instances": [b64(picture(7, side=side)) for side in (3, 4)]})

    np.testing.assert_array_equal(alike.document["predictions"], np.full((2, 3, 3, 1), 7))
    assert "Image 2 has 4 x 4 pixels, image 1 has 3 x 3" in unlike.document["detail"]


def test_pictures_are_bounded_together(publish_picture: Any, call: Any) -> None:
    publish_picture()
    large = b64(picture(0, side=6_000))

    answer = call("POST", PICTURE_URL, {"instances": [large, large]})

    assert (answer.status, answer.document["code"]) == (413, "images-too-large")
