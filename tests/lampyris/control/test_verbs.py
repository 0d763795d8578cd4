"""The table of verbs: whole, without contradictions, and behind routes and rights of the template."""

import re
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import msgspec
import pytest
from samtranslator.yaml_helper import yaml_parse

from lampyris.control.verbs import VERBS, Verb
from lampyris_local.cloud.gateway import Gateway, match
from lampyris_local.cloud.stack import Place, Route

RESOURCES = yaml_parse((Path(__file__).parents[3] / "template.yaml").read_text())["Resources"]
# What gets the right to remove for good.
KEEPING = {"gc", "erase", "backup", "restore", "jobs purge"}

every_verb = pytest.mark.parametrize("verb", VERBS, ids=lambda verb: verb.name)


def named_in(path: str) -> list[str]:
    return re.findall(r"{(\w+)}", path)


def filled(path: str) -> str:
    """Fill a path in with names that are also names of protocols."""
    return re.sub(r"{(\w+)}", "v1", path)


def routes() -> list[Route]:
    return [
        Route(
            function=name,
            method=event["Properties"].get("Method", "ANY"),
            path=event["Properties"].get("Path"),
        )
        for name, resource in RESOURCES.items()
        for event in resource.get("Properties", {}).get("Events", {}).values()
        if isinstance(event, dict) and event["Type"] == "HttpApi"
    ]


def function_at(method: str, path: str) -> str:
    """Say which function the gateway would ask."""

    async def invoke(_name: str, _payload: bytes) -> Any:
        raise AssertionError

    gateway = Gateway(routes(), invoke, Place(api_url="http://localhost", endpoint_url=""))
    return next(route.function for route in gateway._routes if match(route, method, path) is not None)


def test_every_verb_has_a_name_and_a_place_of_its_own() -> None:
    names = [verb.name for verb in VERBS]
    places = [(verb.method, verb.path) for verb in VERBS]

    assert len(set(names)) == len(VERBS)
    assert len(set(places)) == len(VERBS)


def test_the_issues_verbs_are_there() -> None:
    names = {verb.name for verb in VERBS}

    assert names >= {
        *(f"models {what}" for what in ("list", "show")),
        *(f"versions {what}" for what in ("list", "show", "compare", "delete")),
        *(f"aliases {what}" for what in ("list", "show", "set", "shadow", "promote", "rollback", "history")),
        *("uploads open", "uploads show", "rejected list", "rejected show", "audit list", "gc", "erase"),
    }


@every_verb
def test_what_a_path_names_is_an_argument(verb: Verb) -> None:
    arguments = {field.name for field in msgspec.structs.fields(verb.arguments)}

    assert set(named_in(verb.path)) <= arguments


@every_verb
def test_every_argument_says_what_it_is(verb: Verb) -> None:
    _, components = msgspec.json.schema_components((verb.arguments,))

    for name, schema in components[verb.arguments.__name__]["properties"].items():
        assert schema["description"].endswith("."), name


@every_verb
def test_what_is_destructive_changes_something(verb: Verb) -> None:
    assert verb.changes or not verb.destructive


@every_verb
def test_gateway_brings_a_verb_to_the_function_that_has_its_rights(verb: Verb) -> None:
    function = function_at(verb.method, filled(verb.path))

    assert function == ("KeepFunction" if verb.name in KEEPING else "ControlFunction")


@pytest.mark.parametrize("path", ["/models/v1/predict", "/models/v1/versions/v1/predict"])
def test_predictions_still_come_to_the_predict_function(path: str) -> None:
    assert function_at("POST", path) == "PredictFunction"


@every_verb
def test_who_may_predict_may_call_no_verb(verb: Verb) -> None:
    (statement,) = RESOURCES["InvokePolicy"]["Properties"]["PolicyDocument"]["Statement"]
    allowed = [resource["Fn::Sub"].partition("${Api}/")[2] for resource in statement["Resource"]]

    asked = f"$default/{verb.method}{filled(verb.path)}"
    assert not [pattern for pattern in allowed if fnmatchcase(asked, pattern)]


@pytest.mark.parametrize(
    "asked",
    [
        "GET/v1/models/iris",
        "POST/v1/models/iris:predict",
        "GET/v2",
        "POST/v2/models/iris/infer",
        "POST/models/iris/predict",
        "POST/models/iris/versions/2/predict",
        "POST/uploads",
        "GET/openapi.json",
    ],
)
def test_who_may_predict_may_do_all_that_belongs_to_it(asked: str) -> None:
    (statement,) = RESOURCES["InvokePolicy"]["Properties"]["PolicyDocument"]["Statement"]
    allowed = [resource["Fn::Sub"].partition("${Api}/")[2] for resource in statement["Resource"]]

    assert [pattern for pattern in allowed if fnmatchcase(f"$default/{asked}", pattern)]
