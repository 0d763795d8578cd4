"""API Gateway's payload format 2.0: the event as a request, and the response that it wants back."""

from collections.abc import Mapping
from math import inf
from typing import Any, Protocol

import msgspec

from lampyris.errors import MalformedRequest, MethodNotAllowed
from lampyris.serving.trace import Trace

# Requests with the same value get the same version of an alias, as long as its shares let them.
STICKY_KEY = "lampyris-sticky-key"

Event = Mapping[str, Any]
Response = dict[str, Any]


class LambdaContext(Protocol):
    """What we use of the context that Lambda hands to a handler."""

    aws_request_id: str

    def get_remaining_time_in_millis(self) -> int:
        """Return how long the invocation may still take."""
        ...


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """A request without its transport. Names of headers are in lower case.

    `deadline_s` is when the caller must have an answer, on the clock of `Serving`. `trace` is filled in while
    the request is answered.
    """

    method: str
    path: str
    headers: Mapping[str, str] = {}
    query: Mapping[str, str] = {}
    body: str | bytes = ""
    deadline_s: float = inf
    trace: Trace = msgspec.field(default_factory=Trace)

    @property
    def segments(self) -> list[str]:
        return self.path.strip("/").split("/")

    @property
    def media_type(self) -> str:
        return self.header("content-type").partition(";")[0].strip().lower()

    def header(self, name: str) -> str:
        """Return a header by its lower-case name, or ""."""
        return self.headers.get(name, "")

    @property
    def sticky_key(self) -> str:
        return self.header(STICKY_KEY)

    def expect(self, *methods: str) -> None:
        """Raises: MethodNotAllowed unless the request came by one of `methods`."""
        if self.method not in methods:
            raise MethodNotAllowed(method=self.method, allowed=methods)

    @property
    def content(self) -> bytes:
        """The body as bytes, however API Gateway carried it. Raises: MalformedRequest if it is no text."""
        try:
            return self.body.encode() if isinstance(self.body, str) else self.body
        except UnicodeEncodeError:  # half of a surrogate pair, which JSON can carry and UTF-8 cannot
            raise MalformedRequest(reason="The body is not Unicode text.") from None

    @classmethod
    def from_event(cls, event: Event, deadline_s: float = inf, trace: Trace | None = None) -> "Request":
        """Read an event of payload format 2.0.

        Raises: MalformedRequest if the body says that it is base64 and is not.
        """
        body = event.get("body") or ""
        if event.get("isBase64Encoded"):
            try:
                body = msgspec.convert(body, bytes)  # a third of binascii's time
            except msgspec.ValidationError:
                raise MalformedRequest(reason="The body is marked as base64, but is not base64.") from None
        return cls(
            method=event["requestContext"]["http"]["method"],
            path=event["rawPath"],
            # API Gateway lowers the names; sam local does not.
            headers={name.lower(): value for name, value in (event.get("headers") or {}).items()},
            query=event.get("queryStringParameters") or {},
            body=body,
            deadline_s=deadline_s,
            trace=trace or Trace(),
        )
