"""If-Match and If-None-Match on aliases, as RFC 9110 has them."""

from typing import Any

import pytest

ALIAS = "/models/glow/aliases/live"


@pytest.fixture(autouse=True)
def versions(publish_linear: Any) -> None:
    for seed in range(3):
        publish_linear(seed=seed)


def put(ask: Any, version: int, **headers: str) -> Any:
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    return ask("PUT", ALIAS, {"routes": [{"version": version}]}, headers=sent)


def test_alias_comes_with_its_revision_as_etag(ask: Any) -> None:
    assert ask("GET", ALIAS).headers["etag"] == '"3"'
    assert put(ask, 1).headers["etag"] == '"4"'


@pytest.mark.parametrize("tags", ['"3"', 'W/"3"', '"1", "3"', "*", ' "x,y" ,, "3" ,'])
def test_reader_who_has_the_alias_is_told_so_and_nothing_more(tags: str, ask: Any) -> None:
    answer = ask("GET", ALIAS, headers={"if-none-match": tags})

    assert (answer.status, answer.body, answer.headers["etag"]) == (304, "", '"3"')


@pytest.mark.parametrize("tags", ['"2"', 'W/"2"', '"3x"', '"1", "2"'])
def test_reader_who_has_it_not_gets_it(tags: str, ask: Any) -> None:
    assert ask("GET", ALIAS, headers={"if-none-match": tags}).status == 200


def test_reader_may_insist_on_a_revision(ask: Any) -> None:
    assert ask("GET", ALIAS, headers={"if-match": '"3"'}).status == 200
    assert ask("GET", ALIAS, headers={"if-match": 'W/"3"'}).status == 412
    assert ask("GET", ALIAS, headers={"if-match": '"2"'}).status == 412


@pytest.mark.parametrize("tags", ['"3"', '"9","3"', "*", 'W/"3", "3"'])
def test_change_is_made_if_the_alias_is_as_the_caller_knows_it(tags: str, ask: Any) -> None:
    answer = put(ask, 1, if_match=tags)

    assert (answer.status, answer.document["revision"]) == (200, 4)


@pytest.mark.parametrize("tags", ['"2"', 'W/"3"', '"3x"', '"03"', '"1","2"', '""'])
def test_change_is_not_made_if_the_alias_has_moved(tags: str, ask: Any) -> None:
    answer = put(ask, 1, if_match=tags)

    assert (answer.status, answer.document["code"]) == (412, "alias-changed")
    assert "revision 3" in answer.document["detail"]
    assert ask("GET", ALIAS).document["revision"] == 3


@pytest.mark.parametrize(
    ("method", "below", "body"),
    [
        ("PUT", "/shadow", {"version": 1}),
        ("POST", "/promote", {"version": 1}),
        ("POST", "/rollback", ""),
    ],
)
def test_every_change_of_an_alias_takes_if_match(method: str, below: str, body: Any, ask: Any) -> None:
    assert ask(method, ALIAS + below, body, headers={"if-match": '"2"'}).status == 412
    assert ask(method, ALIAS + below, body, headers={"if-match": '"3"'}).status == 200


def test_alias_is_made_only_where_none_is(ask: Any) -> None:
    beta = "/models/glow/aliases/beta"
    body = {"routes": [{"version": 1}]}

    first = ask("PUT", beta, body, headers={"if-none-match": "*"})
    second = ask("PUT", beta, body, headers={"if-none-match": "*"})

    assert (first.status, first.headers["etag"]) == (200, '"1"')
    assert (second.status, second.document["code"]) == (412, "alias-changed")


def test_alias_that_must_be_there_is_not_made(ask: Any) -> None:
    for tags in ("*", '"1"'):
        answer = ask(
            "PUT", "/models/glow/aliases/beta", {"routes": [{"version": 1}]}, headers={"if-match": tags}
        )

        assert (answer.status, answer.document["code"]) == (412, "alias-changed")
        assert "is not there" in answer.document["detail"]


@pytest.mark.parametrize("tags", ['"3"', '"8", "3"'])
def test_change_that_was_made_is_answered_again_though_its_revision_is_past(tags: str, ask: Any) -> None:
    headers = {"if_match": tags, "idempotency_key": "k"}

    first = put(ask, 1, **headers)
    put(ask, 2)
    again = put(ask, 1, **headers)

    assert (again.status, again.body) == (first.status, first.body) == (200, again.body)


def test_key_of_another_change_is_refused_also_among_several_tags(ask: Any) -> None:
    put(ask, 1, idempotency_key="k")

    answer = put(ask, 2, idempotency_key="k", if_match='"4","5"')

    assert (answer.status, answer.document["code"]) == (422, "idempotency-key-reused")


@pytest.mark.parametrize(
    "tags", ["3", '"3', "", ",", "*, *", '"3" "4"', 'w/"3"', '"3"; x', '"\u2603"', ",".join(['"1"'] * 21)]
)
def test_tags_against_the_grammar_are_refused(tags: str, ask: Any) -> None:
    for header in ("if-match", "if-none-match"):
        answer = ask("GET", ALIAS, headers={header: tags})
        assert (answer.status, answer.document["code"]) == (400, "malformed-request"), header
    assert put(ask, 1, if_match=tags).status == 400


@pytest.mark.parametrize("headers", [{"if-none-match": '"3"'}, {"if-none-match": "*", "if-match": '"3"'}])
def test_change_takes_if_none_match_for_making_alone(headers: dict[str, str], ask: Any) -> None:
    answer = ask("PUT", ALIAS, {"routes": [{"version": 1}]}, headers=headers)

    assert (answer.status, answer.document["code"]) == (400, "malformed-request")


@pytest.mark.parametrize("header", ["if-match", "if-none-match"])
def test_condition_on_what_has_no_etag_is_refused_and_not_passed_over(header: str, ask: Any) -> None:
    answer = ask("DELETE", "/models/glow/versions/1", headers={header: '"1"'})

    assert (answer.status, answer.document["code"]) == (400, "malformed-request")
    assert ask("GET", "/models/glow/versions/1").status == 200
