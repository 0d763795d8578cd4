"""What a verb answers, as a reply: with its headers, and in the form that is accepted."""

from typing import Any
from urllib.parse import urlencode

from lampyris.cards.html import content_security_policy
from lampyris.control.aliases import AliasState
from lampyris.control.job_states import JobState
from lampyris.control.pages import Page
from lampyris.control.papers import CardTexts
from lampyris.control.verbs import Verb
from lampyris.http.control.preconditions import etag
from lampyris.http.event import Request
from lampyris.http.predictions.media_types import JSON, chosen_media_type
from lampyris.http.reply import Reply, json_reply

# The status of what has only begun: what becomes of it is at Location.
ACCEPTED = 202
MARKDOWN, HTML = "text/markdown", "text/html"
CARD = (MARKDOWN, HTML, JSON)


def reply_of(verb: Verb, answer: Any, request: Request) -> Reply:
    """Reply with what a verb answers. Raises: NotAcceptable."""
    if isinstance(answer, CardTexts):
        return _card_reply(answer, request)
    headers = {}
    if isinstance(answer, AliasState):
        headers["etag"] = etag(answer)
    if isinstance(answer, JobState) and verb.status == ACCEPTED:
        headers["location"] = f"/jobs/{answer.job}"
    if isinstance(answer, Page) and answer.next is not None:
        following = urlencode({**request.query, "after": answer.next})
        headers["link"] = f'<{request.path}?{following}>; rel="next"'
    return json_reply(answer, status=verb.status, headers=headers)


def _card_reply(card: CardTexts, request: Request) -> Reply:
    """Reply with a card in the form that Accept asks for; Markdown if it does not care."""
    media_type = chosen_media_type(request.header("accept"), CARD)
    headers = {"vary": "accept", "x-content-type-options": "nosniff"}
    if media_type == JSON:
        return json_reply(card, headers=headers)
    if media_type == HTML:
        headers["content-security-policy"] = content_security_policy()
    return Reply(
        body=card.html if media_type == HTML else card.markdown,
        media_type=f"{media_type}; charset=utf-8",
        headers=headers,
    )
