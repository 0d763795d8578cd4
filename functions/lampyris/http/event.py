"""API Gateway's payload format 2.0: the event as a request, and the response that it wants back."""

import binascii
from collections.abc import Mapping
from typing import Any, Protocol

import msgspec

from lampyris.errors import MalformedRequest

JSON = "application/json"

Event = Mapping[str, Any]
Response = dict[str, Any]


class LambdaContext(Protocol):
    """What we use of the context that Lambda hands to a handler."""

    aws_request_id: str


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """A request without its transport."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: str | bytes

    @property
    def segments(self) -> list[str]:
        return self.path.strip("/").split("/")

    @property
    def media_type(self) -> str:
        return self.header("content-type").partition(";")[0].strip().lower()

    def header(self, name: str) -> str:
        """Return a header by its lower-case name, or "". API Gateway lowers the names; sam local does not."""
        if name in self.headers:
            return self.headers[name]
        return next((value for key, value in self.headers.items() if key.lower() == name), "")

    @property
    def content(self) -> bytes:
        """The body as bytes, however API Gateway carried it."""
        return self.body.encode() if isinstance(self.body, str) else self.body

    @classmethod
    def from_event(cls, event: Event) -> "Request":
        """Read an event of payload format 2.0.

        Raises: MalformedRequest if the body says that it is base64 and is not.
        """
        body = event.get("body") or ""
        if event.get("isBase64Encoded"):
            try:
                body = binascii.a2b_base64(body, strict_mode=True)
            except ValueError:  # binascii.Error is one; text outside of ASCII is another
                raise MalformedRequest(reason="The body is marked as base64, but is not base64.") from None
        return cls(
            method=event["requestContext"]["http"]["method"],
            path=event["rawPath"],
            headers=event.get("headers") or {},
            body=body,
        )


def json_response(document: Any, *, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """Answer with a document; numbers that JSON cannot carry (NaN, infinity) become null."""
    return {
        "statusCode": status,
        "headers": {"content-type": JSON, **(headers or {})},
        "body": msgspec.json.encode(document).decode(),
        "isBase64Encoded": False,
    }
