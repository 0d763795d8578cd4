"""The parts of a multipart body: the files of an HTML form (RFC 7578), or any others (RFC 2046)."""

import re

from lampyris.errors import MalformedRequest, TooManyRows
from lampyris.http.predictions.media_types import CSV, IMAGES, JSON, NDJSON, NPY, Content, read_header

MAX_PARTS = 1000
_MAX_HEADER_BYTES = 4096
_BOUNDARY = re.compile(r"[0-9A-Za-z'()+_,\-./:=? ]{0,69}[0-9A-Za-z'()+_,\-./:=?]")
_UNTOLD = ("", "application/octet-stream")
_AS_IT_IS = ("", "7bit", "8bit", "binary")
# Many clients know no type for these files, and say so.
_TYPES = {
    "png": IMAGES[0],
    "jpg": IMAGES[1],
    "jpeg": IMAGES[1],
    "webp": IMAGES[2],
    "csv": CSV,
    "json": JSON,
    "jsonl": NDJSON,
    "ndjson": NDJSON,
    "npy": NPY,
}


def read_parts(form: Content) -> list[Content]:
    """Take a multipart body apart, in its order; there is one part at least.

    A part that does not say what it is, is what the suffix of its file name says.
    Raises: MalformedRequest, TooManyRows.
    """
    boundary = form.parameters.get("boundary", "")
    if not _BOUNDARY.fullmatch(boundary):
        raise MalformedRequest(
            reason=f"The Content-Type {form.media_type} has boundary={boundary[:100]!r}; "
            "it must name the line between the parts, of 1 to 70 letters."
        )
    # The line end before a boundary belongs to it; before the first one there may be none.
    delimiter = b"\r\n--" + boundary.encode()
    pieces = (b"\r\n" + form.body).split(delimiter, MAX_PARTS + 2)
    parts: list[Content] = []
    for piece in pieces[1:]:
        if piece.startswith(b"--"):
            break
        if len(parts) == MAX_PARTS:
            raise TooManyRows(limit=MAX_PARTS, rows="parts")
        parts.append(_part(piece, place=len(parts) + 1))
    else:
        raise MalformedRequest(
            reason=f"The body does not end with '--{boundary}--': it is cut short, or its lines "
            "do not end with CR LF."
        )
    if not parts:
        raise MalformedRequest(reason="The form has no parts; send one file, or several images.")
    return parts


def _part(piece: bytes, place: int) -> Content:
    line_end = piece.find(b"\r\n")
    # A part without headers begins with the blank line.
    head_end = piece.find(b"\r\n\r\n", line_end, line_end + _MAX_HEADER_BYTES)
    if line_end < 0 or piece[:line_end].strip(b" \t") or head_end < 0:
        raise MalformedRequest(
            reason=f"Part {place} does not begin with a line end (CR LF), {_MAX_HEADER_BYTES:,} bytes of "
            "headers at most, and a blank line."
        )
    headers = _headers(piece[line_end:head_end], place)
    encoding = headers.get("content-transfer-encoding", "").strip().lower()
    if encoding not in _AS_IT_IS:
        raise MalformedRequest(reason=f"Part {place} comes as {encoding[:40]!r}; send its bytes as they are.")
    media_type, parameters = read_header(headers.get("content-type", ""))
    if media_type in _UNTOLD:
        _, disposition = read_header(headers.get("content-disposition", ""))
        suffix = disposition.get("filename", "").rpartition(".")[2].lower()
        media_type = _TYPES.get(suffix, media_type)
    return Content(media_type=media_type, parameters=parameters, body=piece[head_end + 4 :])


def _headers(head: bytes, place: int) -> dict[str, str]:
    headers = {}
    for line in head.decode(errors="replace").split("\r\n")[1:]:
        name, separator, value = line.partition(":")
        if not separator or not name or name != name.strip():
            raise MalformedRequest(reason=f"Part {place} has a header line that is none: {line[:100]!r}.")
        headers[name.lower()] = value.strip()
    return headers
