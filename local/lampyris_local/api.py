"""Verbs over HTTP: what a deployment alone can do is asked of its API, by the table that it answers by."""

from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

import httpx
import msgspec

from lampyris.control.call import Caller
from lampyris.control.verbs import VERBS, Verb
from lampyris.errors import JobNotFound
from lampyris_local.client import NoAnswer, connect, refusal
from lampyris_local.deployment import Deployment

_IN_BODY = ("POST", "PUT")
# What an address leaves out: with one of them it would be that of something else.
_NO_SEGMENTS = ("", ".", "..")


class Api:
    """A connection to a deployment's API; a context manager."""

    def __init__(self, deployment: Deployment) -> None:
        deployment.api()
        self._http = connect(deployment)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._http.close()

    def ask(self, name: str, arguments: msgspec.Struct, caller: Caller | None = None) -> Any:
        """Run a verb there, and return its answer. Raises: Refused, NoAnswer, JobNotFound."""
        verb = next(one for one in VERBS if one.name == name)
        response = self._send(verb, arguments, caller)
        if not response.is_success:
            raise refusal(response)
        return msgspec.json.decode(response.content, type=verb.answer)

    def _send(self, verb: Verb, arguments: msgspec.Struct, caller: Caller | None) -> httpx.Response:
        members = {name: value for name, value in msgspec.to_builtins(arguments).items() if value is not None}
        in_path = {name: quote(str(members.pop(name)), safe="") for name in _named_in(verb.path, members)}
        if "job" in in_path and in_path["job"] in _NO_SEGMENTS:
            raise JobNotFound(job=in_path["job"])
        sent: dict[str, Any] = {"params": members}
        if verb.method in _IN_BODY:
            sent = {"content": msgspec.json.encode(members)}
        headers = {"content-type": "application/json"}
        if caller is not None and verb.changes:
            headers["idempotency-key"] = caller.key
        try:
            return self._http.request(verb.method, verb.path.format(**in_path), headers=headers, **sent)
        except httpx.TransportError as error:
            raise NoAnswer(url=str(self._http.base_url), reason=str(error) or type(error).__name__) from None


def _named_in(path: str, members: dict[str, Any]) -> list[str]:
    return [name for name in members if f"{{{name}}}" in path]
