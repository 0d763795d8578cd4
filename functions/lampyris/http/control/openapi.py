"""`GET /openapi.json`: the API in OpenAPI 3.1, with schemas made from the types that parse its messages."""

from functools import cache
from inspect import cleandoc
from typing import Any

import msgspec

import lampyris
from lampyris.http.control import paths, verb_paths
from lampyris.http.control.operations import HEADERS, JSON, PARAMETERS, response
from lampyris.http.large_answer import LinkedAnswer
from lampyris.http.problems import INTERNAL_ERROR, MEDIA_TYPE, PROBLEMS, Problem

_PROTOCOLS = (
    paths.predictions,
    paths.open_inference,
    paths.tensorflow_serving,
    verb_paths.verbs,
    paths.control,
)
_DESCRIPTION = (
    "Trained models as a service. Each protocol predicts with the same models: choose the one that your "
    "client speaks.\n\nA body too large for a request goes to `POST /uploads` first. An answer too large for "
    "a response is 303 See Other."
)


@cache
def document() -> str:
    """Write the document, once for each execution environment."""
    schemas: dict[str, Any] = {}
    refs: dict[Any, Any] = {}
    others = (*paths.MESSAGES[""], *verb_paths.messages(), Problem, LinkedAnswer)
    for prefix, messages in {**paths.MESSAGES, "": others}.items():
        template = f"#/components/schemas/{prefix}{{name}}"
        references, found = msgspec.json.schema_components(messages, ref_template=template)
        refs |= dict(zip(messages, references, strict=True))
        schemas |= {f"{prefix}{name}": _described(schema) for name, schema in found.items()}
    schemas["Problem"]["properties"]["code"]["enum"] = codes()
    described = {
        "openapi": "3.1.0",
        "info": {
            "title": "Lampyris",
            "version": lampyris.__version__,
            "description": _DESCRIPTION,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "security": [{"aws_iam": []}],
        "paths": {path: item for protocol in _PROTOCOLS for path, item in protocol(refs.__getitem__).items()},
        "components": {
            "schemas": schemas,
            "parameters": PARAMETERS,
            "headers": HEADERS,
            "responses": {
                "Problem": response(
                    "What is wrong, and what would be right.",
                    {MEDIA_TYPE: refs[Problem]},
                    ["Retry-After", "Allow"],
                ),
                "LinkedAnswer": response(
                    "The answer is too large for a response; it is at Location.",
                    {JSON: refs[LinkedAnswer]},
                    ["Location", "Server-Timing"],
                ),
            },
            "securitySchemes": {
                "aws_iam": {
                    "type": "apiKey",
                    "in": "header",
                    "name": "Authorization",
                    "description": "AWS Signature Version 4, for the service execute-api.",
                    "x-amazon-apigateway-authtype": "awsSigv4",
                }
            },
        },
    }
    return msgspec.json.encode(described).decode()


def codes() -> list[str]:
    """List the codes that a problem may have."""
    return sorted({INTERNAL_ERROR, *(error.code for error in PROBLEMS)})


def _described(schema: dict[str, Any]) -> dict[str, Any]:
    """Take the indentation out of what was a docstring."""
    if "description" in schema:
        schema["description"] = cleandoc(schema["description"])
    return schema
