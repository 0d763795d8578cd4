"""The description of the API: valid, whole, and true to what answers."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator
from samtranslator.yaml_helper import yaml_parse

from lampyris.control.verbs import VERBS
from lampyris.http.control.openapi import codes, document
from lampyris.http.open_inference.messages import InferRequest
from lampyris.http.problems import PROBLEMS
from lampyris.http.tensorflow_serving.messages import ExamplesRequest

TEMPLATE = Path(__file__).parents[4] / "template.yaml"
VALUES = {
    "model": "glow",
    "version": "1",
    "number": "1",
    "label": "live",
    "alias": "live",
    "upload": "glow-0",
    "job": "0" * 32,
}


@pytest.fixture(scope="module")
def described() -> Any:
    return json.loads(document())


def operations(described: Any) -> list[tuple[str, str]]:
    return [(method.upper(), path) for path, item in described["paths"].items() for method in item]


def filled(path: str) -> str:
    return re.sub(r"{(\w+)}", lambda found: VALUES[found[1]], path)


def is_predicted(path: str) -> bool:
    return path.startswith(("/v1", "/v2")) or path.endswith("/predict")


def test_document_is_valid_openapi(described: Any) -> None:
    assert list(OpenAPIV31SpecValidator(described).iter_errors()) == []


def test_document_is_what_the_function_answers(ask: Any) -> None:
    answer = ask("GET", "/openapi.json")

    assert (answer.status, answer.headers["content-type"]) == (200, "application/json")
    assert answer.body == document()


def test_every_operation_has_a_name_of_its_own(described: Any) -> None:
    names = [operation["operationId"] for item in described["paths"].values() for operation in item.values()]

    assert len(set(names)) == len(names)


def test_every_operation_is_answered(described: Any, call: Any, ask: Any, publish_linear: Any) -> None:
    publish_linear()
    for method, path in operations(described):
        answer = (call if is_predicted(path) else ask)(method, filled(path))

        if answer.status >= 400:
            assert answer.document["code"] not in {"route-not-found", "method-not-allowed"}, (method, path)


def test_every_route_of_the_template_is_described(described: Any) -> None:
    functions = yaml_parse(TEMPLATE.read_text())["Resources"].values()
    routes = [
        event["Properties"]["Path"]
        for function in functions
        for event in function.get("Properties", {}).get("Events", {}).values()
        if isinstance(event, dict) and event["Type"] == "HttpApi" and "Path" in event["Properties"]
    ]

    assert routes
    for route in routes:
        start = route.removesuffix("{path+}")
        assert any(path.startswith(start) for path in described["paths"]), route


@pytest.mark.parametrize(
    ("name", "type_"),
    [("OpenInferenceInferRequest", InferRequest), ("TensorFlowServingExamplesRequest", ExamplesRequest)],
)
def test_schemas_are_those_of_the_types_that_parse(name: str, type_: Any, described: Any) -> None:
    schema = described["components"]["schemas"][name]

    fields = msgspec.structs.fields(type_)
    assert set(schema["properties"]) == {field.encode_name for field in fields}
    assert set(schema["required"]) == {field.encode_name for field in fields if field.required}


def test_prediction_names_its_version_as_it_is_described(
    described: Any, call: Any, publish_linear: Any
) -> None:
    publish_linear()

    body, headers = {"inputs": [[0.5] * 8]}, {"lampyris-sticky-key": "7"}
    answer = call("POST", "/models/glow/predict", body, headers=headers)

    operation = described["paths"]["/models/{model}/predict"]["post"]
    assert {"$ref": "#/components/parameters/sticky-key"} in operation["parameters"]
    assert {"lampyris-model", "lampyris-version"} <= set(answer.headers)
    assert {"Lampyris-Model", "Lampyris-Version"} <= set(operation["responses"]["200"]["headers"])


def test_every_verb_is_described(described: Any) -> None:
    for verb in VERBS:
        assert described["paths"][verb.path][verb.method.lower()]["summary"] == verb.summary


def test_problems_list_every_code(described: Any) -> None:
    listed = described["components"]["schemas"]["Problem"]["properties"]["code"]["enum"]

    assert set(listed) == {"internal-error", *(error.code for error in PROBLEMS)}
    assert listed == codes()


def test_every_operation_may_end_in_a_problem(described: Any) -> None:
    for item in described["paths"].values():
        for operation in item.values():
            assert operation["responses"]["4XX"] == {"$ref": "#/components/responses/Problem"}


def test_describing_the_api_needs_neither_onnxruntime_nor_pillow() -> None:
    code = (
        "import sys; from lampyris.http.control.openapi import document; document();"
        "print({'onnxruntime', 'PIL', 'boto3', 'pydantic'} & set(sys.modules))"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "set()"
