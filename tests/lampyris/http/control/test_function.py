"""The control function's own routes, and what it says of them."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from lampyris.adapters.memory_store import MemoryStore
from lampyris.domain.layout import upload_key
from lampyris.domain.store import Entry
from lampyris.errors import StoreUnavailable


class Away(MemoryStore):
    def list(self, prefix: str, after: str = "") -> Iterator[Entry]:
        raise StoreUnavailable(operation="list", cause="the socket was closed")


def test_upload_has_a_name_an_address_and_an_end(ask: Any) -> None:
    answer = ask("POST", "/uploads")

    assert answer.status == 201
    assert answer.document == {
        "upload": "0" * 31 + "1",
        "url": "memory:///uploads/" + "0" * 31 + "1",
        "method": "PUT",
        "expires_at": "2026-01-01T12:15:00Z",
        "limit_bytes": 1000,
    }
    assert answer.headers["location"] == answer.document["url"]


def test_name_of_an_upload_leads_to_where_its_address_writes(ask: Any) -> None:
    document = ask("POST", "/uploads").document

    assert document["url"].endswith(upload_key(document["upload"]))


def test_each_upload_has_a_place_of_its_own(ask: Any) -> None:
    urls = {ask("POST", "/uploads").document["url"] for _ in range(3)}

    assert len(urls) == 3


def test_body_that_nobody_asked_for_is_passed_over(ask: Any) -> None:
    assert ask("POST", "/uploads", "{").status == 201


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_uploads_are_opened_and_nothing_else(method: str, ask: Any) -> None:
    answer = ask(method, "/uploads")

    assert (answer.status, answer.document["code"]) == (405, "method-not-allowed")
    assert answer.headers["allow"] == "POST"


def test_unknown_route_is_a_problem(ask: Any) -> None:
    answer = ask("GET", "/nowhere")

    assert (answer.status, answer.document["code"]) == (404, "route-not-found")
    assert answer.headers["content-type"] == "application/problem+json"


def test_each_request_is_one_line_of_log_and_the_first_tells_of_init(
    ask: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    ask("POST", "/uploads")
    ask("GET", "/nowhere")

    first, second = map(json.loads, capsys.readouterr().out.splitlines())
    assert (first["service"], first["status"], first["Init"]) == ("control", 201, 12.5)
    assert (second["status"], second["code"]) == (404, "route-not-found")
    assert "Init" not in second


def test_address_is_never_in_the_log(ask: Any, capsys: pytest.CaptureFixture[str]) -> None:
    url = ask("POST", "/uploads").document["url"]

    assert url not in capsys.readouterr().out


def test_store_that_is_away_is_told_with_when_to_try_again(asking_of: Any) -> None:
    answer = asking_of(Away())("GET", "/models/glow")

    assert (answer.status, answer.document["code"]) == (503, "store-unavailable")
    assert answer.headers["retry-after"] == "2"
    assert "socket" not in answer.body
