"""From a reply to the response that API Gateway wants: compressed where asked for, base64 where binary."""

import binascii

import msgspec

from lampyris.domain.store import Store
from lampyris.errors import ResponseTooLarge
from lampyris.http.event import Request, Response
from lampyris.http.reply import Reply

# Lambda takes 6 MB of response, in which every quote of the body is escaped; the rest is for headers.
RESPONSE_LIMIT_BYTES = 6 * 2**20 - 2**14
# Below, compressing saves a caller less time than it takes.
_COMPRESS_FROM_BYTES = 8192


def response_of(reply: Reply, request: Request | None = None, store: Store | None = None) -> Response:
    """Write a response of payload format 2.0; an answer that is too large for one goes to `store`, if given.

    Raises: ResponseTooLarge, StoreUnavailable.
    """
    body, headers = reply.body, {"content-type": reply.media_type, **reply.headers}
    if request is not None and len(body) >= _COMPRESS_FROM_BYTES and "accept-encoding" in request.headers:
        from lampyris.http.content_encoding import chosen_encoding, compressed  # noqa: PLC0415 - few ask for it

        headers["vary"] = "accept-encoding"
        encoding = chosen_encoding(request.headers["accept-encoding"])
        if encoding is not None:
            body = compressed(body.encode() if isinstance(body, str) else body, encoding)
            headers["content-encoding"] = encoding
    if len(body) * 6 > RESPONSE_LIMIT_BYTES:  # no character takes more: JSON escapes some in six
        size_bytes = _size_bytes(body)
        if size_bytes > RESPONSE_LIMIT_BYTES:
            if store is None:
                raise ResponseTooLarge(size_bytes=size_bytes, limit_bytes=RESPONSE_LIMIT_BYTES)
            return response_of(_linked(body, headers, store))
    if isinstance(body, bytes):
        text = binascii.b2a_base64(body, newline=False).decode()
        return {"statusCode": reply.status, "headers": headers, "body": text, "isBase64Encoded": True}
    return {"statusCode": reply.status, "headers": headers, "body": body, "isBase64Encoded": False}


def _size_bytes(body: str | bytes) -> int:
    """Return what a body takes of the response's JSON: base64, or a text in which quotes are escaped."""
    return (len(body) + 2) // 3 * 4 if isinstance(body, bytes) else len(msgspec.json.encode(body))


def _linked(body: str | bytes, headers: dict[str, str], store: Store) -> Reply:
    import os  # noqa: PLC0415 - an answer so large is rare, and so is what it needs
    from datetime import UTC, datetime  # noqa: PLC0415 - as above

    from lampyris.http.large_answer import linked_reply  # noqa: PLC0415 - as above

    content = body.encode() if isinstance(body, str) else body
    return linked_reply(content, headers, store, answer=os.urandom(16).hex(), now=datetime.now(UTC))
