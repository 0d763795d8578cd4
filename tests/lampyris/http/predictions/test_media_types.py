import pytest
from hypothesis import given
from hypothesis import strategies as st

from lampyris.errors import NotAcceptable
from lampyris.http.predictions.media_types import (
    CSV,
    GIVEN,
    JSON,
    NDJSON,
    NPY,
    chosen_media_type,
    read_header,
)


@pytest.mark.parametrize(
    ("accept", "chosen"),
    [
        ("", JSON),
        ("*/*", JSON),
        ("application/json", JSON),
        ("text/csv", CSV),
        ("TEXT/CSV; charset=utf-8", CSV),
        ("text/*", CSV),
        ("application/*", JSON),
        ("application/x-npy", NPY),
        ("application/x-ndjson", NDJSON),
        ("text/html, application/xhtml+xml, */*;q=0.8", JSON),
        ("application/json;q=0.5, text/csv", CSV),
        ("application/json;q=0.5, text/csv;q=0.4", JSON),
        ("application/json, text/csv", JSON),
        ("text/csv, */*", CSV),
        ("*/*, application/json;q=0", CSV),
        ("application/*;q=0.2, text/csv;q=0.1, application/x-npy;q=0.3", NPY),
        ("text/csv;q=0, application/x-npy;q=0.001", NPY),
        ("text/csv;q=much, application/x-npy", NPY),
        ("text/csv;q=7, application/x-npy;q=0.1", NPY),
        (", ,text/csv", CSV),
    ],
)
def test_the_type_that_a_caller_wants_most_is_chosen(accept: str, chosen: str) -> None:
    assert chosen_media_type(accept) == chosen


@pytest.mark.parametrize(
    "accept", ["text/html", "application/xml, image/*", "*/*;q=0", "text/csv;q=nan", ";"]
)
def test_nothing_that_fits_is_refused_with_what_is_offered(accept: str) -> None:
    with pytest.raises(NotAcceptable, match="application/json, text/csv, application/x-ndjson") as caught:
        chosen_media_type(accept)

    assert accept in str(caught.value)


@given(st.text() | st.lists(st.sampled_from([*GIVEN, "*/*", "q=1", ";", ",", "q=", '"'])).map("".join))
def test_any_accept_header_is_answered_or_refused(accept: str) -> None:
    try:
        assert chosen_media_type(accept) in GIVEN
    except NotAcceptable:
        assert accept not in {"", "*/*"}


@pytest.mark.parametrize(
    ("value", "name", "parameters"),
    [
        ("text/csv", "text/csv", {}),
        (" Text/CSV ; Header=absent;charset=UTF-8", "text/csv", {"header": "absent", "charset": "UTF-8"}),
        ('multipart/mixed; boundary="a;b=c"', "multipart/mixed", {"boundary": "a;b=c"}),
        (r'form-data; name="a\"b"; filename=x.png', "form-data", {"name": 'a"b', "filename": "x.png"}),
        ("form-data; name; filename", "form-data", {}),
        ("", "", {}),
    ],
)
def test_a_header_has_a_value_and_parameters(value: str, name: str, parameters: dict[str, str]) -> None:
    assert read_header(value) == (name, parameters)
