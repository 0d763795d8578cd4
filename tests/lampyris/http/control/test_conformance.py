"""What the API answers over HTTP is what its description says, be it sent what it asks for or nonsense."""

import json
from collections.abc import Mapping
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, assume, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
    unsupported_method,
)

from lampyris.http.control.openapi import document
from lampyris.jobs.jobs import Asked, Jobs, job_id

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    unsupported_method,
]
# What the model `glow` answers, so that answers are looked at and not problems alone.
ROWS = [[0.5] * 8, [1.0] * 8]
RECIPE = 'name = "glow"\n[dataset]\nsource = "sklearn"\nname = "digits"\n'
EXAMPLES: dict[str, Any] = {
    "/predict": {"inputs": ROWS},
    "/infer": {"inputs": [{"name": "features", "shape": [2, 8], "datatype": "FP32", "data": ROWS}]},
    ":predict": {"instances": ROWS},
    "/jobs": {"spec": {"kind": "train", "recipe": RECIPE}},
    ":classify": {"examples": [{"features": row} for row in ROWS]},
}
# Names that lead somewhere, and one that does not: random ones never would.
NAMES: dict[str, list[Any]] = {
    "model": ["glow", "picture", "dusk"],
    "version": ["live", "1"],
    "number": [1],
    "label": ["live"],
    "alias": ["live", "dusk"],
    "upload": ["glow-0", "dusk"],
    "job": [job_id("ana", "k"), "dusk"],
}
NUMBERS = [1, 2]


def known_values(parameter: Mapping[str, Any]) -> list[Any]:
    is_number = parameter["schema"].get("type") == "integer"
    return NUMBERS if is_number else NAMES[parameter["name"]]


def with_known_names() -> dict[str, Any]:
    described: dict[str, Any] = json.loads(document())
    for path, item in described["paths"].items():
        for operation in item.values():
            for ending, example in EXAMPLES.items():
                if path.endswith(ending) and "requestBody" in operation:
                    operation["requestBody"]["content"]["application/json"]["example"] = example
            for parameter in operation.get("parameters", []):
                if parameter.get("in") == "path":
                    known = known_values(parameter)
                    parameter |= {"schema": {"enum": known}, "example": known[0]}
                elif parameter.get("name") == "versions":
                    parameter["schema"]["items"] = {"enum": NUMBERS}
    # schemathesis rewrites prefixItems into an older draft of JSON Schema, and then refuses what it wrote.
    classify = described["components"]["schemas"]["TensorFlowServingClassifyResponse"]
    classify["properties"]["results"]["items"]["items"] = {"type": "array", "minItems": 2, "maxItems": 2}
    return described


@schemathesis.serializer("application/x-ndjson", "application/x-npy")
def as_it_is(_context: schemathesis.SerializationContext, value: Any) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode()


# Without the phase that goes through every combination of parameters, which takes a minute.
CONFIG = schemathesis.Config.from_dict({"phases": {"coverage": {"enabled": False}}})
SCHEMA = schemathesis.openapi.from_dict(with_known_names(), config=CONFIG)


@pytest.fixture
def models(publish_linear: Any, publish_picture: Any, jobs: Jobs) -> None:
    jobs.submit(Asked(kind="train", by="ana", key="k", spec={"recipe": RECIPE}, model="glow"))
    publish_linear("glow")
    publish_linear("glow", seed=1)
    publish_picture("picture")


@SCHEMA.parametrize()
@settings(
    max_examples=6,
    deadline=None,
    suppress_health_check=[
        HealthCheck.function_scoped_fixture,
        HealthCheck.too_slow,
        HealthCheck.filter_too_much,
    ],
)
def test_api_answers_as_it_is_described(case: schemathesis.Case[Any], api: str, models: None) -> None:
    # Control characters in a header are the HTTP server's to refuse, and do not come as far as a function.
    assume(all(str(value).isprintable() for value in (case.headers or {}).values()))

    case.call_and_validate(base_url=api, checks=CHECKS)
