"""Bodies that are too large for the API: they go to the bucket first, and answers come from there."""

from collections.abc import Mapping

import httpx
import msgspec

# Lambda takes 6 MB with the body as base64, or as text in which every quote takes two letters.
SENT_ALONG_BYTES = 4_000_000


class _Place(msgspec.Struct, frozen=True):
    """What we need of the answer to `POST /uploads`."""

    upload: str
    url: str


def post(
    http: httpx.Client, path: str, *, content: bytes, params: Mapping[str, str], headers: Mapping[str, str]
) -> httpx.Response:
    """Post a body of any size, and return the answer wherever it is; the first refusal ends it.

    Raises: httpx.TransportError.
    """
    params = dict(params)
    if len(content) > SENT_ALONG_BYTES:
        opened = http.post("/uploads")
        if not opened.is_success:
            return opened
        place = msgspec.json.decode(opened.content, type=_Place)
        # The address carries its own signature, and another beside it is refused.
        stored = http.request("PUT", place.url, content=content, auth=None)
        if not stored.is_success:
            return stored
        params["upload"], content = place.upload, b""
    answer = http.post(path, content=content, params=params, headers=headers)
    if answer.status_code != httpx.codes.SEE_OTHER:
        return answer
    fetched = http.get(answer.headers["location"], auth=None)
    fetched.headers["server-timing"] = answer.headers.get("server-timing", "")
    return fetched
