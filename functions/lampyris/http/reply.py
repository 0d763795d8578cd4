"""What a route gives back, whatever carries it to the caller."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:  # numpy is behind it, which not every function needs
    from lampyris.serving.infer import Prediction

JSON = "application/json"


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """A body with its media type: text, or bytes that are none."""

    body: str | bytes
    media_type: str = JSON
    status: int = 200
    headers: Mapping[str, str] = {}


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """A reply for the caller; who predicted it, where it is a prediction."""

    reply: Reply
    prediction: "Prediction | None" = None


def json_reply(
    document: Any, *, status: int = 200, media_type: str = JSON, headers: Mapping[str, str] | None = None
) -> Reply:
    """Reply with a document; numbers that JSON cannot carry (NaN, infinity) become null."""
    return Reply(
        body=msgspec.json.encode(document).decode(),
        media_type=media_type,
        status=status,
        headers=headers or {},
    )
