"""A request's body, whether it came along or was uploaded before, compressed or as it is."""

from collections.abc import Callable, Iterator

import msgspec

from lampyris.domain.layout import upload_key
from lampyris.domain.store import Store
from lampyris.errors import (
    BodyTooLarge,
    MalformedRequest,
    ObjectNotFound,
    StoreUnavailable,
    UploadNotFound,
)
from lampyris.http.content_encoding import decompressed
from lampyris.http.event import Request

# The query parameter that names an upload.
UPLOAD = "upload"
# The bytes, the arrays that they become, and what the model needs. Numbers in text take up to ten times as
# much once they are read, and empty lists of JSON twenty times.
_MEMORY_SHARE = 8
_TEXT_SHARE = 40
_BINARY = ("application/octet-stream", "application/x-npy", "image/", "multipart/")
_MOST_BYTES = 256 * 2**20
# So much arrives within the time that one read of the store may take.
_PART_BYTES = 16 * 2**20


def body_limit_bytes(memory_mb: int, media_type: str = "application/octet-stream") -> int:
    """Return how large a body, unpacked, a function with so much memory takes."""
    is_binary = media_type.startswith(_BINARY)
    return min(memory_mb * 2**20 // (_MEMORY_SHARE if is_binary else _TEXT_SHARE), _MOST_BYTES)


def body_of(request: Request, store: Store, limit_bytes: int, clock: Callable[[], float]) -> Request:
    """Return the request with its body as it was before it was uploaded and compressed.

    `?upload=` makes of a request exactly the one that had been sent, had its body been small enough: its
    headers say what the upload holds. A request by another method than POST has no body that anybody reads.

    Raises: MalformedRequest if there are two bodies, or if it is not compressed as its Content-Encoding says;
    UnsupportedEncoding, BodyTooLarge, UploadNotFound, InvalidName; StoreUnavailable, also if reading takes
    longer than the request has.
    """
    if request.method != "POST":
        return request
    if UPLOAD in request.query:
        upload = request.query[UPLOAD]
        if request.body:
            raise MalformedRequest(
                reason=f"The request has a body, and names the upload {upload!r} for it; send one of them."
            )
        try:
            parts = list(_parts(upload_key(upload), store, limit_bytes, request.deadline_s, clock))
        except ObjectNotFound:
            raise UploadNotFound(upload=upload) from None
        request = msgspec.structs.replace(request, body=b"".join(parts))
    return decompressed(request, limit_bytes)


def _parts(
    key: str, store: Store, limit_bytes: int, deadline_s: float, clock: Callable[[], float]
) -> Iterator[memoryview]:
    size_bytes = store.size_bytes(key)
    if size_bytes > limit_bytes:
        raise BodyTooLarge(limit_bytes=limit_bytes)
    for start in range(0, size_bytes, _PART_BYTES):
        if clock() > deadline_s:
            raise StoreUnavailable(operation=f"get {key}", cause="it takes longer than the request has")
        yield store.get_range(key, start, min(_PART_BYTES, size_bytes - start))
