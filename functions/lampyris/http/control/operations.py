"""What the operations of the API have in common, in OpenAPI's words: parameters, bodies, answers."""

from collections.abc import Iterable, Mapping
from typing import Any

from lampyris.domain.layout import RANDOM_ID_PATTERN
from lampyris.domain.names import PATTERN
from lampyris.http.content_encoding import ENCODINGS
from lampyris.http.control.callers import KEY_PATTERN

Schema = Mapping[str, Any]
JSON = "application/json"
BINARY: Schema = {}  # bytes have no JSON schema (OpenAPI 3.1, "Considerations for File Uploads")

_NAME = {"type": "string", "pattern": f"^{PATTERN}$"}
_ENCODING = {"type": "string", "enum": [*ENCODINGS, "identity"]}
_IN_PATH: dict[str, Schema] = {
    "model": {"description": "The name of a model.", "schema": _NAME},
    "version": {
        "description": "The number of a version, or the name of an alias.",
        "schema": _NAME,
        "example": "live",
    },
    "number": {"description": "The number of a version.", "schema": {"type": "integer", "minimum": 1}},
    "label": {"description": "The name of an alias.", "schema": _NAME, "example": "live"},
}
# Under these names the operations refer to them.
PARAMETERS: dict[str, dict[str, Any]] = {
    "upload": {
        "name": "upload",
        "in": "query",
        "description": "An upload (`POST /uploads`) that is the request's body; the request itself has none. "
        "Content-Type, Content-Encoding and Inference-Header-Content-Length say what it holds.",
        "schema": {"type": "string", "pattern": f"^{RANDOM_ID_PATTERN}$"},
    },
    "content-encoding": {
        "name": "Content-Encoding",
        "in": "header",
        "description": "How the body is compressed.",
        "schema": _ENCODING,
    },
    "accept-encoding": {
        "name": "Accept-Encoding",
        "in": "header",
        "description": f"How the answer may be compressed: {' or '.join(ENCODINGS)}.",
        "schema": {"type": "string"},
        "example": ENCODINGS[0],
    },
    "header-length": {
        "name": "Inference-Header-Content-Length",
        "in": "header",
        "description": "The length of the JSON, where binary tensors stand behind it.",
        "schema": {"type": "integer", "minimum": 0},
    },
    "sticky-key": {
        "name": "Lampyris-Sticky-Key",
        "in": "header",
        "description": "Who asks, in any words: the same key has its answers from the same version, for as "
        "long as the shares of the versions let it.",
        "schema": {"type": "string"},
    },
    "idempotency-key": {
        "name": "Idempotency-Key",
        "in": "header",
        "description": "The same key again is the same change, made once, and has the same answer.",
        "schema": {"type": "string", "pattern": KEY_PATTERN},
    },
    "reason": {
        "name": "Lampyris-Reason",
        "in": "header",
        "description": "Why, for the audit. What is not ASCII is percent-encoded, as UTF-8.",
        "schema": {"type": "string", "maxLength": 1000},
    },
    "if-match": {
        "name": "If-Match",
        "in": "header",
        "description": "The ETag that the alias must have; `*` for any, if it is only there.",
        "schema": {"type": "string"},
        "example": "*",
    },
    "if-none-match": {
        "name": "If-None-Match",
        "in": "header",
        "description": "The ETag that a reader has. With a change `*`: the alias must not be there yet.",
        "schema": {"type": "string"},
        "example": '"1"',
    },
    "top": {
        "name": "top",
        "in": "query",
        "description": "So many of a classifier's labels, the most probable first.",
        "schema": {"type": "integer", "minimum": 1},
    },
    "output": {
        "name": "output",
        "in": "query",
        "description": "The one output that is wanted, by its name.",
        "schema": {"type": "string"},
    },
}
HEADERS: dict[str, dict[str, Any]] = {
    "Server-Timing": {
        "description": "What the request spent where, in milliseconds: init, fetch, session, run, total.",
        "schema": {"type": "string"},
    },
    "Location": {
        "description": "Where it is. One with a host is signed, and needs no other authorisation.",
        "schema": {"type": "string", "format": "uri-reference"},
    },
    "Retry-After": {
        "description": "Seconds to wait, where it may work later.",
        "schema": {"type": "integer"},
    },
    "ETag": {
        "description": "The revision of the alias, in quotes.",
        "schema": {"type": "string"},
    },
    "Link": {
        "description": "Where the next page is.",
        "schema": {"type": "string"},
    },
    "Idempotency-Key": {
        "description": "The key of the change: the caller's own, or a random one.",
        "schema": {"type": "string"},
    },
    "Lampyris-Model": {
        "description": "The model that answered.",
        "schema": {"type": "string"},
    },
    "Lampyris-Version": {
        "description": "The one version of it that answered.",
        "schema": {"type": "string"},
    },
    "Allow": {
        "description": "The methods that are allowed, where this one is not.",
        "schema": {"type": "string"},
    },
    "Inference-Header-Content-Length": {
        "description": "The length of the JSON, where binary tensors stand behind it.",
        "schema": {"type": "integer"},
    },
}


def in_path(*names: str) -> list[Schema]:
    """Return the parameters of a path; {number} in it stands for {version} where aliases are none."""
    return [{"name": name, "in": "path", "required": True, **_IN_PATH[name]} for name in names]


def named(*names: str) -> list[Schema]:
    """Refer to PARAMETERS."""
    return [{"$ref": f"#/components/parameters/{name}"} for name in names]


def content(schemas: Mapping[str, Schema]) -> Schema:
    """Return what a body may be, by media type."""
    return {media_type: {"schema": schema} if schema else {} for media_type, schema in schemas.items()}


def response(description: str, schemas: Mapping[str, Schema], headers: Iterable[str] = ()) -> dict[str, Any]:
    return {"description": description, "headers": _headers(*headers), "content": content(schemas)}


def _headers(*names: str) -> dict[str, Schema]:
    """Refer to HEADERS."""
    return {name: {"$ref": f"#/components/headers/{name}"} for name in names}


def operation(
    operation_id: str,
    tag: str,
    summary: str,
    *,
    answers: Mapping[str, Schema],
    takes: Mapping[str, Schema] | None = None,
    parameters: Iterable[Schema] = (),
    headers: Iterable[str] = (),
) -> Schema:
    """Describe an operation of the predict function; with `takes` it predicts."""
    described: dict[str, Any] = {
        "operationId": operation_id,
        "tags": [tag],
        "summary": summary,
        "parameters": [*parameters, *named("accept-encoding")],
        "responses": {
            "200": response("The answer.", answers, ["Server-Timing", *headers]),
            "4XX": {"$ref": "#/components/responses/Problem"},
            "5XX": {"$ref": "#/components/responses/Problem"},
        },
    }
    if takes is not None:
        described["parameters"] += named("upload", "content-encoding", "sticky-key")
        described["responses"]["200"]["headers"] |= _headers("Lampyris-Model", "Lampyris-Version")
        described["requestBody"] = {"required": False, "content": content(takes)}
        described["responses"]["303"] = {"$ref": "#/components/responses/LinkedAnswer"}
    return described
