"""What a verb answers, as a reply: with an ETag, a link to the next page, or in the form that is accepted."""

from typing import Any
from urllib.parse import urlencode

from lampyris.control.aliases import AliasState
from lampyris.control.pages import Page
from lampyris.control.verbs import Verb
from lampyris.http.control.preconditions import etag
from lampyris.http.event import Request
from lampyris.http.reply import Reply, json_reply


def reply_of(verb: Verb, answer: Any, request: Request) -> Reply:
    """Reply with what a verb answers."""
    headers = {}
    if isinstance(answer, AliasState):
        headers["etag"] = etag(answer)
    if isinstance(answer, Page) and answer.next is not None:
        following = urlencode({**request.query, "after": answer.next})
        headers["link"] = f'<{request.path}?{following}>; rel="next"'
    return json_reply(answer, status=verb.status, headers=headers)
