"""Who asks for a change, why, and by which key: what the gateway says of the caller, and two headers."""

import re
from collections.abc import Callable
from urllib.parse import unquote

from lampyris.control.call import Caller
from lampyris.errors import MalformedRequest
from lampyris.http.event import Event, Request

KEY_HEADER = "idempotency-key"
REASON_HEADER = "lampyris-reason"
# Where the gateway authorises nobody: the local cloud.
LOCAL = "local"

_LONGEST_KEY = 150
KEY_PATTERN = rf"^[!#-\[\]-~]{{1,{_LONGEST_KEY}}}$"
_KEY = re.compile(KEY_PATTERN)


def identity(event: Event) -> str:
    """Return who the gateway says that the caller is; nothing that a caller sends has a say in it."""
    authorizer = event["requestContext"].get("authorizer") or {}
    return (authorizer.get("iam") or {}).get("userArn") or LOCAL


def caller_of(request: Request, by: str, new_id: Callable[[], str]) -> Caller:
    """Read who asks; a request without a key is a change of its own.

    Raises: MalformedRequest.
    """
    return Caller(by=by, key=_key(request) or new_id(), reason=_reason(request))


def _key(request: Request) -> str:
    if KEY_HEADER not in request.headers:
        return ""
    value = request.header(KEY_HEADER).strip()
    if value[:1] == value[-1:] == '"':  # a string of RFC 8941, which the IETF's draft of this header asks for
        value = value[1:-1]
    if not _KEY.fullmatch(value):
        raise MalformedRequest(
            reason=f"Idempotency-Key is {value[:80]!r}; use 1 to {_LONGEST_KEY} printable ASCII characters "
            "without blanks, quotes or backslashes, for instance a UUID."
        )
    return value


def _reason(request: Request) -> str:
    """Read the reason; what is not ASCII comes percent-encoded, as UTF-8."""
    try:
        return unquote(request.header(REASON_HEADER).strip(), errors="strict")
    except UnicodeDecodeError:
        raise MalformedRequest(
            reason="Lampyris-Reason is percent-encoded, but not UTF-8: encode it as a URL is encoded."
        ) from None
