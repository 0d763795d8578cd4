from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lampyris.errors import LampyrisError
from lampyris.http.predictions.media_types import Content
from lampyris.http.predictions.multipart import MAX_PARTS, read_parts


def form(body: bytes, boundary: str = "b") -> Content:
    return Content(media_type="multipart/form-data", parameters={"boundary": boundary}, body=body)


def part(data: bytes, *headers: str) -> bytes:
    return b"--b\r\n" + "".join(f"{header}\r\n" for header in headers).encode() + b"\r\n" + data + b"\r\n"


def test_parts_keep_their_order_types_and_bytes() -> None:
    body = (
        part(b"\x89PNG\r\n--\r\n\0", 'Content-Disposition: form-data; name="f"', "Content-Type: image/png")
        + part(b"1,2\r\n", "content-type:text/csv; header=absent")
        + part(b"")
        + b"--b--\r\n"
    )

    parts = read_parts(form(body))

    assert [(each.media_type, each.parameters, each.body) for each in parts] == [
        ("image/png", {}, b"\x89PNG\r\n--\r\n\0"),
        ("text/csv", {"header": "absent"}, b"1,2\r\n"),
        ("", {}, b""),
    ]


@pytest.mark.parametrize(
    "name", ["a.png", "a.JPG", "a.jpeg", "b.c.webp", "d.csv", "e.ndjson", "f.jsonl", "g.npy", "h.json"]
)
@pytest.mark.parametrize("told", [(), ("Content-Type: application/octet-stream",)])
def test_a_part_that_does_not_say_what_it_is_has_its_files_suffix(name: str, told: tuple[str, ...]) -> None:
    body = part(b"x", f'Content-Disposition: form-data; name="f"; filename="{name}"', *told) + b"--b--"

    (found,) = read_parts(form(body))

    suffix = name.rpartition(".")[2].lower().replace("jpg", "jpeg").replace("jsonl", "ndjson")
    assert found.media_type.endswith(suffix)


def test_what_stands_before_and_after_the_parts_is_left_out() -> None:
    body = b"For readers of mail.\r\n--b \t\r\n\r\none\r\n--b--  \r\nThat was it.\r\n--b\r\n"

    assert [each.body for each in read_parts(form(body))] == [b"one"]


@pytest.mark.parametrize(
    ("body", "boundary", "says"),
    [
        (b"", "", "it must name the line between the parts"),
        (b"", "x" * 71, "1 to 70 letters"),
        (b"", "a\nb", "1 to 70 letters"),
        (b"", "\u00e9", "1 to 70 letters"),
        (b"", "b", "does not end with '--b--'"),
        (b"--b--\r\n", "b", "no parts"),
        (part(b"x"), "b", "cut short"),
        (
            part(b"x").replace(b"\r", b"") + b"--b--\n",
            "b",
            "Part 1 does not begin with a line end \\(CR LF\\)",
        ),
        (part(b"x") + b"--bc\r\n\r\n\r\n--b--", "b", "Part 2 does not begin with a line end"),
        (b"--b\r\nContent-Type: image/png\r\n--b--", "b", "Part 1 .* a blank line"),
        (part(b"x", "X: " + "y" * 5000) + b"--b--", "b", "4,096 bytes of headers"),
        (part(b"x", "no header") + b"--b--", "b", "Part 1 has a header line that is none: 'no header'"),
        (part(b"x", " folded: line") + b"--b--", "b", "header line that is none"),
        (
            part(b"eA==", "Content-Transfer-Encoding: BASE64") + b"--b--",
            "b",
            "Part 1 comes as 'base64'; send its",
        ),
        (part(b"") * (MAX_PARTS + 1) + b"--b--", "b", "more than the 1,000 parts"),
        (part(b"") * (MAX_PARTS + 99), "b", "more than the 1,000 parts"),
    ],
)
def test_a_refusal_names_the_part_and_what_would_be_right(body: bytes, boundary: str, says: str) -> None:
    with pytest.raises(LampyrisError, match=says):
        read_parts(form(body, boundary))


def test_as_many_parts_as_are_taken_come_through() -> None:
    assert len(read_parts(form(part(b"") * MAX_PARTS + b"--b--"))) == MAX_PARTS


@given(
    st.lists(
        st.binary(max_size=30).filter(lambda data: b"\r\n--b" not in b"\r\n" + data), min_size=1, max_size=5
    )
)
def test_any_bytes_come_through(files: list[bytes]) -> None:
    body = b"".join(part(data, "Content-Type: image/png") for data in files) + b"--b--\r\n"

    assert [each.body for each in read_parts(form(body))] == files


@given(st.text("-b\r\n :;xX", max_size=80), st.text("b-'\"", max_size=3))
def test_any_body_has_parts_or_is_refused(body: str, boundary: str) -> None:
    with suppress(LampyrisError):
        assert read_parts(form(body.encode(), boundary))
