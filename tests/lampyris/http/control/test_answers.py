"""A model card in the form that is accepted."""

from typing import Any

import pytest

CARD = "/models/glow/versions/1/card"
BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"


@pytest.fixture(autouse=True)
def version(publish_linear: Any) -> None:
    publish_linear()


@pytest.mark.parametrize(
    ("accept", "media_type"),
    [
        ("", "text/markdown; charset=utf-8"),
        ("*/*", "text/markdown; charset=utf-8"),
        ("text/markdown", "text/markdown; charset=utf-8"),
        (BROWSER, "text/html; charset=utf-8"),
        ("application/json", "application/json"),
        ("text/*;q=0.1, application/json", "application/json"),
    ],
)
def test_card_comes_as_accept_asks(accept: str, media_type: str, ask: Any) -> None:
    answer = ask("GET", CARD, headers={"accept": accept})

    assert (answer.status, answer.headers["content-type"]) == (200, media_type)
    assert "glow, version 1" in answer.body


def test_page_may_load_and_run_nothing(ask: Any) -> None:
    headers = ask("GET", CARD, headers={"accept": "text/html"}).headers

    assert headers["content-security-policy"].startswith("default-src 'none'")
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["vary"] == "accept"


def test_card_is_in_no_other_form(ask: Any) -> None:
    answer = ask("GET", CARD, headers={"accept": "application/pdf"})

    assert (answer.status, answer.document["code"]) == (406, "not-acceptable")
    assert "text/markdown" in answer.document["detail"]
