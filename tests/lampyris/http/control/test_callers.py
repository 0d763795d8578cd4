"""Who asks, why, and by which key."""

from typing import Any

import pytest

ALIAS = "/models/glow/aliases/live"
ARN = "arn:aws:iam::123456789012:user/ann"


@pytest.fixture(autouse=True)
def versions(publish_linear: Any) -> None:
    publish_linear()
    publish_linear(seed=1)


def test_caller_is_who_the_gateway_says(ask: Any) -> None:
    assert ask("POST", f"{ALIAS}/rollback", by=ARN).document["changed_by"] == ARN


def test_caller_behind_no_authorizer_is_local(ask: Any) -> None:
    assert ask("POST", f"{ALIAS}/rollback").document["changed_by"] == "local"


@pytest.mark.parametrize("header", ["x-amzn-iam-userarn", "lampyris-by", "authorization", "from"])
def test_no_header_says_who_asks(header: str, ask: Any) -> None:
    answer = ask("POST", f"{ALIAS}/rollback", by=ARN, headers={header: "mallory"})

    assert answer.document["changed_by"] == ARN


def test_reason_comes_in_a_header_percent_encoded_where_it_is_not_ascii(ask: Any) -> None:
    answer = ask("POST", f"{ALIAS}/rollback", headers={"lampyris-reason": "100 %, zu gro%C3%9F"})

    assert answer.document["reason"] == "100 %, zu groß"
    assert ask("GET", "/audit").document["items"][0]["change"]["reason"] == "100 %, zu groß"


def test_reason_that_is_not_utf_8_is_refused(ask: Any) -> None:
    answer = ask("POST", f"{ALIAS}/rollback", headers={"lampyris-reason": "%ff"})

    assert (answer.status, answer.document["code"]) == (400, "malformed-request")


def test_reason_that_is_too_long_is_refused(ask: Any) -> None:
    answer = ask("POST", f"{ALIAS}/rollback", headers={"lampyris-reason": "x" * 1001})

    assert (answer.status, answer.document["code"]) == (400, "invalid-name")


def test_key_comes_back_and_the_same_key_is_answered_alike(ask: Any) -> None:
    first = ask("POST", f"{ALIAS}/rollback", headers={"idempotency-key": "8e03978e"})
    ask("PUT", ALIAS, {"routes": [{"version": 2}]})
    again = ask("POST", f"{ALIAS}/rollback", headers={"idempotency-key": '"8e03978e"'})

    assert first.headers["idempotency-key"] == again.headers["idempotency-key"] == "8e03978e"
    assert again.body == first.body
    assert ask("GET", ALIAS).document["revision"] == 4


def test_changes_without_a_key_are_changes_of_their_own(ask: Any) -> None:
    first = ask("PUT", f"{ALIAS}/shadow", {"version": 1})
    second = ask("PUT", f"{ALIAS}/shadow", {"version": None})

    assert first.headers["idempotency-key"] != second.headers["idempotency-key"]
    assert second.document["revision"] == 4


def test_what_changes_nothing_has_no_key(ask: Any) -> None:
    assert "idempotency-key" not in ask("GET", ALIAS, headers={"idempotency-key": "k"}).headers


@pytest.mark.parametrize("key", ["", '""', "two words", "x" * 151, "ü", 'a"b', "a\\b", '"open'])
def test_key_against_the_grammar_is_refused(key: str, ask: Any) -> None:
    answer = ask("POST", f"{ALIAS}/rollback", headers={"idempotency-key": key})

    assert (answer.status, answer.document["code"]) == (400, "malformed-request")


def test_key_used_for_something_else_is_refused(ask: Any) -> None:
    ask("POST", f"{ALIAS}/rollback", headers={"idempotency-key": "k"})

    answer = ask("POST", f"{ALIAS}/promote", {"version": 2}, headers={"idempotency-key": "k"})

    assert (answer.status, answer.document["code"]) == (422, "idempotency-key-reused")
