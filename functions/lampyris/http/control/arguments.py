"""A verb's arguments, as a request carries them: in its path, its query and its body."""

from collections.abc import Iterator, Mapping
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import msgspec

from lampyris.control.verbs import Verb
from lampyris.errors import BodyTooLarge, MalformedRequest
from lampyris.http.content_encoding import decompressed
from lampyris.http.event import Request
from lampyris.http.json_body import decode_body

BODY_LIMIT_BYTES = 2**20

_decode = msgspec.json.Decoder(dict[str, Any]).decode


def takes_body(verb: Verb) -> bool:
    """Say whether the arguments that are not in the path stand in the body, rather than in the query."""
    return verb.method in {"POST", "PUT"}


def read_arguments(verb: Verb, request: Request, named: Mapping[str, str]) -> msgspec.Struct:
    """Read what a request asks for; `named` is what its path names.

    Raises: MalformedRequest naming the member, what came and what would be right; UnsupportedEncoding,
        BodyTooLarge.
    """
    types = {field.name: field.type for field in msgspec.structs.fields(verb.arguments)}
    texts = {**named, **({} if takes_body(verb) else request.query)}
    _check_known(texts, types, "parameter")
    members = {name: _read(name, text, types[name]) for name, text in texts.items()}
    if takes_body(verb):
        body = _body(request)
        _check_known(body, {name: type_ for name, type_ in types.items() if name not in named}, "member")
        members |= body
    try:
        return msgspec.convert(members, verb.arguments)
    except msgspec.ValidationError as error:
        raise MalformedRequest(reason=f"The request does not say what is needed: {error}.") from None


def _body(request: Request) -> dict[str, Any]:
    content = decompressed(request, BODY_LIMIT_BYTES).content
    if len(content) > BODY_LIMIT_BYTES:
        raise BodyTooLarge(limit_bytes=BODY_LIMIT_BYTES)
    return decode_body(_decode, content) if content.strip() else {}


def _check_known(given: Mapping[str, Any], types: Mapping[str, Any], kind: str) -> None:
    for name in given:
        if name not in types:
            known = f"there are {', '.join(types)}" if types else "there is none here"
            raise MalformedRequest(reason=f"Nothing is known of the {kind} {name[:80]!r}; {known}.")


def _read(name: str, text: str, type_: Any) -> Any:
    """Read what came as text: a number, a list with commas, or the text itself."""
    plain = get_args(type_)[0] if get_origin(type_) is Annotated else type_
    is_list = get_origin(plain) is tuple
    try:
        value = msgspec.convert(text.split(",") if is_list else text, type_, strict=False)
    except msgspec.ValidationError as error:
        raise MalformedRequest(reason=f"{name} is {text[:80]!r}: {error}.{_hint(type_)}") from None
    if (
        ",".join(map(str, value)) if is_list else str(value)
    ) != text:  # 1e3 and 01 are other ways to write it
        raise MalformedRequest(reason=f"{name} is {text[:80]!r}; write a number in plain digits.")
    return value


def _hint(type_: Any) -> str:
    choices = [one for part in _parts(type_) if get_origin(part) is Literal for one in get_args(part)]
    if choices:
        return f" It can be {', '.join(choices)}."
    described = [meta.description for meta in get_args(type_)[1:] if isinstance(meta, msgspec.Meta)]
    return f" It means: {described[0][0].lower()}{described[0][1:]}" if described and described[0] else ""


def _parts(type_: Any) -> Iterator[Any]:
    """Yield a type and, of an annotated one or a union, all that it is made of."""
    yield type_
    if get_origin(type_) in (Annotated, Union, UnionType):
        for part in get_args(type_):
            yield from _parts(part)
