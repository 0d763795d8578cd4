"""The paths of the verbs in OpenAPI's words, made from their table."""

from typing import Any

import msgspec

from lampyris.control.aliases import AliasState
from lampyris.control.pages import Page
from lampyris.control.papers import CardTexts
from lampyris.control.verbs import VERBS, Verb
from lampyris.domain.names import PATTERN
from lampyris.http.control.answers import ACCEPTED, CARD
from lampyris.http.control.arguments import takes_body
from lampyris.http.control.operations import JSON, Schema, content, named, response
from lampyris.http.control.paths import PathItems, Ref
from lampyris.jobs.specs import Spec

_REF = "#/components/schemas/{name}"
_PATTERN = f"^{PATTERN}$"
# What the grammar of names says; the registry says it to those who depart from it.
_NAMED = ("alias", "upload")
# Verbs of one word are about the registry as a whole.
_WHOLE = "registry"


def messages() -> list[Any]:
    """Return what verbs answer, and what stands in their arguments."""
    return [*dict.fromkeys(verb.answer for verb in VERBS), Spec]


def verbs(ref: Ref) -> PathItems:
    """Describe every verb."""
    items: PathItems = {}
    for verb in VERBS:
        items.setdefault(verb.path, {})[verb.method.lower()] = _operation(verb, ref)
    return items


def _operation(verb: Verb, ref: Ref) -> Schema:
    group, *rest = verb.name.split()
    words = verb.name.replace("-", " ").split()
    members = _members(verb)
    in_path = {name for name in members if f"{{{name}}}" in verb.path}
    parameters = [
        _parameter("path", name, members[name], required=True) for name in members if name in in_path
    ]
    described: dict[str, Any] = {
        "operationId": words[0] + "".join(word.capitalize() for word in words[1:]),
        "tags": [group if rest else _WHOLE],
        "summary": verb.summary,
        "parameters": parameters,
        "responses": _responses(verb, ref),
    }
    others = {name: schema for name, schema in members.items() if name not in in_path}
    required = [name for name in _required(verb) if name in others]
    if takes_body(verb):
        body = {
            "type": "object",
            "properties": others,
            "required": required,
            "additionalProperties": False,
        }
        described["requestBody"] = {"required": bool(required), "content": content({JSON: body})}
    else:
        parameters += [
            _parameter("query", name, schema, required=name in required) for name, schema in others.items()
        ]
    if verb.changes:
        parameters += named("idempotency-key", "reason")
    if verb.answer is AliasState:
        parameters += named("if-match", "if-none-match")
    parameters += named("accept-encoding")
    return described


def _members(verb: Verb) -> dict[str, Schema]:
    """Return the schemas of a verb's arguments, by name."""
    properties: dict[str, Schema] = _schema(verb)["properties"]
    return properties


def _required(verb: Verb) -> list[str]:
    return list(_schema(verb).get("required", []))


def _schema(verb: Verb) -> dict[str, Any]:
    _, components = msgspec.json.schema_components((verb.arguments,), ref_template=_REF)
    schema: dict[str, Any] = components[verb.arguments.__name__]
    return schema


def _parameter(place: str, name: str, schema: Schema, *, required: bool) -> Schema:
    plain = {key: value for key, value in schema.items() if key not in {"description", "default"}}
    if not required and schema["default"] is not None:
        plain["default"] = schema["default"]
    if name in _NAMED or (name == "model" and "anyOf" not in plain):
        plain["pattern"] = _PATTERN
    described = {
        "name": name,
        "in": place,
        "required": required,
        "description": schema["description"],
        "schema": plain,
    }
    if plain.get("type") == "array":
        described |= {"style": "form", "explode": False}
    return described


def _responses(verb: Verb, ref: Ref) -> dict[str, Schema]:
    headers = []
    if verb.answer is AliasState:
        headers.append("ETag")
    if isinstance(verb.answer, type) and issubclass(verb.answer, Page):
        headers.append("Link")
    if verb.status == ACCEPTED:
        headers.append("Location")
    if verb.changes:
        headers.append("Idempotency-Key")
    problem = {"$ref": "#/components/responses/Problem"}
    found: dict[str, Schema] = {
        str(verb.status): response("The answer.", _contents(verb, ref), headers),
        "4XX": problem,
        "5XX": problem,
    }
    if verb.answer is AliasState and not verb.changes:
        found["304"] = response("The alias is as If-None-Match says.", {}, ["ETag"])
    return found


def _contents(verb: Verb, ref: Ref) -> dict[str, Schema]:
    if verb.answer is CardTexts:
        return {media_type: {"type": "string"} for media_type in CARD} | {JSON: ref(CardTexts)}
    return {JSON: ref(verb.answer)}
