"""From a reply to the response that API Gateway wants: compressed where asked for, base64 where binary."""

import binascii

from lampyris.errors import ResponseTooLarge
from lampyris.http.event import Request, Response
from lampyris.http.reply import Reply

# Lambda takes 6 MB of response, in which every quote of the body is escaped; the rest is for headers.
RESPONSE_LIMIT_BYTES = 6 * 2**20 - 2**14
# Below, compressing saves a caller less time than it takes.
_COMPRESS_FROM_BYTES = 8192


def response_of(reply: Reply, request: Request | None = None) -> Response:
    """Write a response of payload format 2.0.

    Raises: ResponseTooLarge.
    """
    body, headers = reply.body, {"content-type": reply.media_type, **reply.headers}
    if request is not None and len(body) >= _COMPRESS_FROM_BYTES and "accept-encoding" in request.headers:
        from lampyris.http.content_encoding import chosen_encoding, compressed  # noqa: PLC0415 - few ask for it

        headers["vary"] = "accept-encoding"
        encoding = chosen_encoding(request.headers["accept-encoding"])
        if encoding is not None:
            body = compressed(body.encode() if isinstance(body, str) else body, encoding)
            headers["content-encoding"] = encoding
    is_binary = isinstance(body, bytes)
    text = binascii.b2a_base64(body, newline=False).decode() if isinstance(body, bytes) else body
    _check_size(text)
    return {"statusCode": reply.status, "headers": headers, "body": text, "isBase64Encoded": is_binary}


def _check_size(body: str) -> None:
    if len(body) * 4 > RESPONSE_LIMIT_BYTES:  # no character takes more than four bytes
        size_bytes = len(body.encode()) + body.count('"') + body.count("\\")
        if size_bytes > RESPONSE_LIMIT_BYTES:
            raise ResponseTooLarge(size_bytes=size_bytes, limit_bytes=RESPONSE_LIMIT_BYTES)
