"""The verbs over HTTP: where each is, what it takes, and what is said of what it does not take."""

import json
from typing import Any

import pytest

from lampyris.control.verbs import VERBS
from lampyris.domain.store import Store

LIVE = "/models/glow/aliases/live"


@pytest.fixture(autouse=True)
def versions(publish_linear: Any) -> None:
    publish_linear()
    publish_linear(seed=1)


def test_canary_grows_is_promoted_and_is_taken_back(ask: Any) -> None:
    ask("PUT", LIVE, {"routes": [{"version": 1, "weight": 90}, {"version": 2, "weight": 10}]})
    promoted = ask("POST", f"{LIVE}/promote")
    rolled_back = ask("POST", f"{LIVE}/rollback")

    assert promoted.document["routes"] == [{"version": 2, "weight": 100}]
    assert rolled_back.document["routes"] == [{"version": 1, "weight": 100}]
    actions = [entry["action"] for entry in ask("GET", f"{LIVE}/history").document["items"]]
    assert actions[:3] == ["rollback", "promote", "split"]


def test_page_links_to_the_next_one(ask: Any) -> None:
    first = ask("GET", "/models/glow/versions", query={"limit": "1"})

    assert first.document["next"] == "2"
    assert first.headers["link"] == '</models/glow/versions?limit=1&after=2>; rel="next"'
    second = ask("GET", "/models/glow/versions", query={"limit": "1", "after": "2"})
    assert [version["version"] for version in second.document["items"]] == [1]
    assert "link" not in second.headers


def test_versions_are_compared_by_a_list_with_commas(ask: Any) -> None:
    answer = ask("GET", "/models/glow/compare", query={"versions": "2,1"})

    assert answer.document["versions"] == [2, 1]


def test_opened_upload_is_created(ask: Any) -> None:
    answer = ask("POST", "/models/glow/uploads", {"files": ["model.onnx"]}, headers={"idempotency-key": "k"})

    assert answer.status == 201
    state = ask("GET", f"/models/glow/uploads/{answer.document['upload']}")
    assert state.document["status"] == "pending"


@pytest.mark.parametrize("name", ["../model.onnx", "a/b", ".hidden", "", "x" * 101, "bundle json"])
def test_file_of_an_upload_is_named_by_a_grammar(name: str, ask: Any) -> None:
    answer = ask("POST", "/models/glow/uploads", {"files": [name]})

    assert (answer.status, answer.document["code"]) == (400, "malformed-request")


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("POST", "/models", "GET"),
        ("PATCH", "/models/glow", "GET, DELETE"),
        ("POST", LIVE, "GET, PUT"),
        ("DELETE", f"{LIVE}/shadow", "PUT, GET"),
        ("GET", f"{LIVE}/promote", "POST"),
        ("GET", "/gc", "POST"),
        ("DELETE", "/audit", "GET"),
        ("GET", "/models/glow/predict", "POST"),
        ("PUT", "/models/glow/versions/1/predict", "POST"),
    ],
)
def test_method_that_a_path_does_not_take_is_told_those_that_it_takes(
    method: str, path: str, allowed: str, ask: Any
) -> None:
    answer = ask(method, path)

    assert (answer.status, answer.document["code"], answer.headers["allow"]) == (
        405,
        "method-not-allowed",
        allowed,
    )


@pytest.mark.parametrize(
    "path",
    ["/models/glow/nothing", "/models/glow/versions/1/nothing", "/rejected/glow", "/gc/x"],
)
def test_path_that_leads_nowhere_is_a_problem(path: str, ask: Any) -> None:
    answer = ask("GET", path)

    assert (answer.status, answer.document["code"]) == (404, "route-not-found")


@pytest.mark.parametrize(
    ("method", "path", "body", "query", "said"),
    [
        ("PUT", LIVE, "{", {}, "not valid JSON"),
        ("PUT", LIVE, "[]", {}, "`object`"),
        ("PUT", LIVE, "", {}, "routes"),
        ("PUT", LIVE, {"routes": [{"version": "1"}]}, {}, "$.routes[0].version"),
        ("PUT", LIVE, {"routes": [{"version": 1, "weigth": 9}]}, {}, "weigth"),
        ("PUT", LIVE, {"routes": [{"version": 0}]}, {}, ">= 1"),
        ("PUT", LIVE, {"routes": [{"version": 1}], "shadow": None}, {}, "'shadow'"),
        ("PUT", LIVE, {"routes": [{"version": 1}], "model": "dusk"}, {}, "'model'"),
        ("PUT", LIVE, '{"routes":' + "[" * 100_000, {}, "nested"),
        ("POST", f"{LIVE}/promote", {"version": 1.5}, {}, "version"),
        ("POST", f"{LIVE}/rollback", {"to": 1}, {}, "'to'"),
        ("GET", "/models", "", {"limit": "0"}, "limit is '0'"),
        ("GET", "/models", "", {"limit": "1001"}, "limit is '1001'"),
        ("GET", "/models", "", {"limit": "many"}, "limit is 'many'"),
        ("GET", "/models", "", {"limt": "5"}, "'limt'"),
        ("GET", "/models/glow/versions", "", {"after": "٣"}, "after is"),
        ("GET", "/models/glow/versions", "", {"after": "-1"}, "after is"),
        ("GET", "/models/glow/versions/live", "", {}, "version is 'live'"),
        ("GET", "/models/glow/versions/0", "", {}, "version is '0'"),
        ("GET", "/models/glow/versions/1e3", "", {}, "version is '1e3'"),
        ("GET", "/models/glow/compare", "", {"versions": "1"}, "versions is '1'"),
        ("GET", "/models/glow/compare", "", {"versions": "1,live"}, "versions is '1,live'"),
        ("GET", "/models/glow/compare", "", {}, "versions"),
        ("POST", "/gc", {"grace_s": -1}, {}, "grace_s"),
        ("POST", "/gc", {"grace_s": 1e300}, {}, "grace_s"),
        ("DELETE", "/models/glow", "", {}, "confirm"),
        ("DELETE", "/models/glow", "", {"confirm": "dusk"}, "confirm is 'dusk'"),
        ("GET", "/rejected/\ud800/x", "", {}, "not Unicode"),
        ("GET", "/rejected", "", {"after": "\ud800"}, "not Unicode"),
    ],
)
def test_what_is_wrong_with_a_request_is_said(
    method: str, path: str, body: Any, query: dict[str, str], said: str, ask: Any
) -> None:
    answer = ask(method, path, body, query=query)

    assert (answer.status, answer.document["code"]) == (400, "malformed-request")
    assert said in answer.document["detail"]


@pytest.mark.parametrize(
    ("routes", "said"),
    [
        ([], "nothing"),
        ([{"version": 1, "weight": 60}, {"version": 2, "weight": 60}], "60"),
        ([{"version": 1, "weight": 50}, {"version": 1, "weight": 50}], "twice"),
    ],
)
def test_shares_that_do_not_make_a_hundred_are_refused(routes: list[Any], said: str, ask: Any) -> None:
    answer = ask("PUT", LIVE, {"routes": routes})

    assert (answer.status, answer.document["code"]) == (422, "invalid-split")
    assert said in answer.document["detail"]


@pytest.mark.parametrize(
    ("method", "path", "body", "code"),
    [
        ("GET", "/models/dusk", "", "model-not-found"),
        ("GET", "/models/glow/versions/9", "", "version-not-found"),
        ("GET", "/models/glow/aliases/beta", "", "alias-not-found"),
        ("PUT", LIVE, {"routes": [{"version": 9}]}, "version-not-found"),
        ("POST", "/models/glow/aliases/beta/promote", {"version": 1}, "alias-not-found"),
        ("GET", "/models/glow/uploads/nothing", "", "upload-not-found"),
        ("GET", "/rejected/glow/nothing", "", "rejection-not-found"),
    ],
)
def test_what_is_not_there_is_named(method: str, path: str, body: Any, code: str, ask: Any) -> None:
    answer = ask(method, path, body)

    assert (answer.status, answer.document["code"]) == (404, code)


@pytest.mark.parametrize(
    ("path", "query"),
    [
        ("/models/..", {}),
        ("/models/Glow/versions", {}),
        ("/models/glow/aliases/7", {}),
        ("/rejected/glow/..", {}),
        ("/rejected", {"model": "../audit"}),
        ("/audit", {"model": "../audit"}),
    ],
)
def test_name_against_the_grammar_is_refused(path: str, query: dict[str, str], ask: Any) -> None:
    answer = ask("GET", path, query=query)

    assert (answer.status, answer.document["code"]) == (400, "invalid-name")


def test_version_that_is_in_use_is_a_conflict(ask: Any) -> None:
    answer = ask("DELETE", "/models/glow/versions/2")

    assert (answer.status, answer.document["code"]) == (409, "version-in-use")


def test_model_is_erased_if_it_is_named_twice(ask: Any) -> None:
    answer = ask("DELETE", "/models/glow", query={"confirm": "glow"})

    assert answer.document["done"]
    assert ask("GET", LIVE).status == 404


def test_long_verb_stops_in_time_and_goes_on_when_it_is_asked_again(ask_in: Any, store: Store) -> None:
    headers = {"idempotency-key": "k"}

    first = ask_in(0.0)("DELETE", "/models/glow", query={"confirm": "glow"}, headers=headers)
    second = ask_in(29.0)("DELETE", "/models/glow", query={"confirm": "glow"}, headers=headers)

    assert (first.status, first.document["done"]) == (200, False)
    assert (second.status, second.document["done"]) == (200, True)


def test_body_may_come_compressed(ask: Any) -> None:
    answer = ask("POST", f"{LIVE}/rollback", "", headers={"content-encoding": "br"})

    assert (answer.status, answer.document["code"]) == (415, "unsupported-encoding")


def test_body_that_is_too_large_is_refused(ask: Any) -> None:
    answer = ask("PUT", LIVE, json.dumps({"routes": []}) + " " * 2**20)

    assert (answer.status, answer.document["code"]) == (413, "body-too-large")


@pytest.mark.parametrize("verb", VERBS, ids=lambda verb: verb.name)
def test_every_verb_is_answered(verb: Any, ask: Any) -> None:
    path = verb.path.format(model="glow", alias="live", version=1, upload="glow-0", job="f" * 32)

    answer = ask(verb.method, path)

    assert answer.status < 500
    if answer.status >= 400:
        assert answer.document["code"] not in {"route-not-found", "method-not-allowed"}
