"""Answers larger than Lambda may give: they go into the bucket, and the response is 303 See Other."""

from collections.abc import Mapping
from datetime import datetime, timedelta

import msgspec

from lampyris.domain.layout import answer_key
from lampyris.domain.store import Store
from lampyris.errors import ResponseTooLarge
from lampyris.http.reply import Reply, json_reply

ANSWER_LIMIT_BYTES = 256 * 2**20
LINK_EXPIRES_S = 3600
_STORED_HEADERS = ("content-type", "content-encoding")


class AnswerLink(msgspec.Struct, frozen=True, kw_only=True):
    """Where an answer is, until when, and what it is; `headers` are those it would have come with."""

    url: str
    media_type: str
    size_bytes: int
    expires_at: datetime
    headers: Mapping[str, str]


class LinkedAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """The body of a 303 See Other, whose Location is the answer's URL."""

    answer: AnswerLink


def linked_reply(
    body: bytes, headers: Mapping[str, str], store: Store, *, answer: str, now: datetime
) -> Reply:
    """Put an answer into the bucket under the random name `answer`, and reply with its address.

    Raises: ResponseTooLarge, StoreUnavailable.
    """
    if len(body) > ANSWER_LIMIT_BYTES:
        raise ResponseTooLarge(size_bytes=len(body), limit_bytes=ANSWER_LIMIT_BYTES)
    key = answer_key(answer)
    store.put(key, body, {name: headers[name] for name in _STORED_HEADERS if name in headers})
    url = store.presign("GET", key, LINK_EXPIRES_S)
    link = AnswerLink(
        url=url,
        media_type=headers["content-type"],
        size_bytes=len(body),
        expires_at=now + timedelta(seconds=LINK_EXPIRES_S),
        headers=headers,
    )
    return json_reply(LinkedAnswer(answer=link), status=303, headers={"location": url})
