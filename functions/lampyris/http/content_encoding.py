"""Bodies that come or go compressed (RFC 9110, section 8.4): gzip, and deflate in zlib's format or raw."""

import zlib

import msgspec

from lampyris.errors import BodyTooLarge, MalformedRequest, UnsupportedEncoding
from lampyris.http.event import Request

ENCODINGS = ("gzip", "deflate")
_GZIP, _ZLIB, _RAW = 31, 15, -15  # zlib's window sizes stand for the formats
_FAST = 1  # half the time of the default for a tenth more bytes


def decompressed(request: Request, limit_bytes: int) -> Request:
    """Return the request with its body as it was before its Content-Encoding; a small one may hold gigabytes.

    Raises: UnsupportedEncoding, MalformedRequest if the body is not so encoded, BodyTooLarge.
    """
    encoding = request.header("content-encoding").strip().lower()
    if encoding in {"", "identity"}:
        return request
    if encoding not in ENCODINGS:
        raise UnsupportedEncoding(encoding=encoding, supported=ENCODINGS)
    return msgspec.structs.replace(request, body=_decompress(request.content, encoding, limit_bytes))


def _decompress(body: bytes, encoding: str, limit_bytes: int) -> bytes:
    # A zlib header's first byte says method 8 in its lower half; some clients send deflate without a header.
    bits = _GZIP if encoding == "gzip" else _ZLIB if body[:1] and body[0] & 15 == zlib.DEFLATED else _RAW
    stream = zlib.decompressobj(wbits=bits)
    try:
        plain = stream.decompress(body, limit_bytes)
    except zlib.error:
        raise MalformedRequest(reason=f"The body is not {encoding}, as its Content-Encoding says.") from None
    if stream.unconsumed_tail:
        raise BodyTooLarge(limit_bytes=limit_bytes)
    if not stream.eof or stream.unused_data:
        raise MalformedRequest(reason=f"The {encoding} body is cut short, or something follows it.")
    return plain


def chosen_encoding(accept_encoding: str) -> str | None:
    """Return the encoding that a caller likes best of those that we have; None for none.

    Source: RFC 9110, section 12.5.3: names with weights; 0 forbids.
    """
    best, best_weight = None, 0.0
    for item in accept_encoding.split(","):
        name, _, parameter = item.partition(";")
        weight = _weight(parameter)
        if name.strip().lower() in ENCODINGS and weight > best_weight:
            best, best_weight = name.strip().lower(), weight
    return best


def _weight(parameter: str) -> float:
    name, _, value = parameter.partition("=")
    if name.strip().lower() != "q":
        return 1.0
    try:
        return float(value)
    except ValueError:
        return 0.0


def compressed(body: bytes, encoding: str) -> bytes:
    """Encode a body as one of ENCODINGS."""
    stream = zlib.compressobj(level=_FAST, wbits=_GZIP if encoding == "gzip" else _ZLIB)
    return stream.compress(body) + stream.flush()
