"""Messages of one prediction each: what they ask, and where their answers go.

    {"id": "order-17", "model": "glow", "inputs": [[...]]}

`inputs` are as `POST /models/{model}/predict` takes them; `instances`, TensorFlow Serving's word, is the
same. `version` is a number or an alias. The answer stands at `predictions/{model}/{id}.json`; that of a
message without a name at `predictions/-/`, by the message's own.
"""

import re

import msgspec

from lampyris.domain.layout import NOWHERE
from lampyris.domain.names import LIVE, check_model_name
from lampyris.errors import InvalidName, MalformedRequest
from lampyris.http.json_body import decode_body

_ID = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,126}[A-Za-z0-9])?")


class _Message(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    id: str
    model: str
    version: str | int = LIVE
    inputs: msgspec.Raw = msgspec.Raw()
    instances: msgspec.Raw = msgspec.Raw()


class _Names(msgspec.Struct, frozen=True, kw_only=True):
    """What is left of a message that is none: enough to say so where somebody looks."""

    id: str
    model: str


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """A prediction that a message asks for; `body` is what would be posted for it."""

    id: str
    model: str
    version: str
    body: bytes

    @property
    def key(self) -> str:
        return answer_key(self.model, self.id)


_decode = msgspec.json.Decoder(_Message).decode
_decode_names = msgspec.json.Decoder(_Names).decode


def answer_key(model: str, name: str) -> str:
    return f"predictions/{model}/{name}.json"


def read_message(body: str) -> Asked:
    """Raises: MalformedRequest, InvalidName."""
    message = decode_body(_decode, body)
    check_model_name(message.model)
    _check_id(message.id)
    inputs, instances = bytes(message.inputs), bytes(message.instances)
    if bool(inputs) == bool(instances):
        raise MalformedRequest(reason="The message wants inputs, or instances, and not both.")
    return Asked(
        id=message.id,
        model=message.model,
        version=str(message.version),
        body=b'{"inputs":' + (inputs or instances) + b"}",
    )


def refusal_key(body: str, message_id: str) -> str:
    """Return where it stands why a message was refused."""
    try:
        names = _decode_names(body)
        return answer_key(check_model_name(names.model), _check_id(names.id))
    except (msgspec.DecodeError, UnicodeError, RecursionError, InvalidName):
        return answer_key(NOWHERE, re.sub(r"[^A-Za-z0-9-]", "-", message_id)[:128])


def _check_id(name: str) -> str:
    if not _ID.fullmatch(name):
        raise InvalidName(
            kind="a prediction",
            name=name,
            rule="use 1 to 128 letters, digits, '.', '-' or '_', starting and ending with a letter or digit",
        )
    return name
