"""A proxy between the functions and the endpoint, which throttles calls of AWS and is where processes die.

It knows which environment calls by the access key, which every environment has one of its own of: the
signature names it. What is signed by nobody here, such as a presigned address, passes.
"""

import re
from collections.abc import Mapping
from typing import Literal, Protocol

import aiohttp
import msgspec
from aiohttp import web
from multidict import CIMultiDict
from yarl import URL

from lampyris_local.cloud.listening import HOST, listen

_CREDENTIAL = re.compile(r"Credential=([^/,]+)/\d+/[^/,]+/([^/,]+)/aws4_request")
# They are about one connection, or are made anew for the next.
_HOP_HEADERS = frozenset({"connection", "expect", "keep-alive", "transfer-encoding"})
_CHUNK_BYTES = 256 * 1024
_JSON_CODES = {
    "dynamodb": "com.amazonaws.dynamodb.v20120810#ProvisionedThroughputExceededException",
    "sqs": "com.amazonaws.sqs#RequestThrottled",
}

Verdict = Literal["pass", "throttle", "kill before", "kill after"]


class Caller(Protocol):
    """An execution environment, as its calls of AWS see it."""

    def calls(self, call: str) -> Verdict:
        """Say what is to become of this call, such as "dynamodb PutItem"."""

    def die(self, call: str, verdict: Verdict) -> None:
        """Be killed at this call."""


class FaultyEndpoint:
    """Listens on an address of its own. `callers` goes by access key, and changes as environments do."""

    def __init__(self, endpoint_url: str, callers: Mapping[str, Caller]) -> None:
        self._endpoint_url = endpoint_url
        self._callers = callers
        self._listener = listen(0)
        self.url = f"http://{HOST}:{self._listener.getsockname()[1]}"
        app = web.Application()
        app.router.add_route("*", r"/{path:[\s\S]*}", self._pass_on)
        self._runner = web.AppRunner(app, access_log=None, auto_decompress=False, shutdown_timeout=0)

    async def start(self) -> None:
        # As many connections as the environments have; and an object is passed on as it is, packed or not.
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0),
            timeout=aiohttp.ClientTimeout(),
            auto_decompress=False,
            cookie_jar=aiohttp.DummyCookieJar(),
        )
        await self._runner.setup()
        await web.SockSite(self._runner, self._listener).start()

    async def stop(self) -> None:
        await self._runner.cleanup()
        await self._session.close()

    async def _pass_on(self, request: web.Request) -> web.StreamResponse:
        signed = _CREDENTIAL.search(request.headers.get("Authorization", ""))
        caller = self._callers.get(signed[1]) if signed else None
        if signed is None or caller is None:
            return await self._forward(request, None, "")
        service, call = signed[2], _call(request, signed[2])
        verdict = caller.calls(call)
        if verdict == "throttle":
            async for _ in request.content.iter_chunked(_CHUNK_BYTES):
                pass  # who sends a large body listens only then
            return _throttled(service, request.method)
        if verdict == "kill before":
            caller.die(call, verdict)
            return web.Response(status=500)  # nobody is left to read it
        return await self._forward(request, caller if verdict == "kill after" else None, call)

    async def _forward(self, request: web.Request, doomed: Caller | None, call: str) -> web.StreamResponse:
        headers = CIMultiDict(
            (name, value) for name, value in request.headers.items() if name.lower() not in _HOP_HEADERS
        )
        async with self._session.request(
            request.method,
            URL(self._endpoint_url + request.raw_path, encoded=True),
            headers=headers,
            data=request.content if request.body_exists else None,
            allow_redirects=False,
            skip_auto_headers=("Accept", "Accept-Encoding", "Content-Type", "User-Agent"),
        ) as answer:
            if doomed is not None:
                await answer.read()
                doomed.die(call, "kill after")
                return web.Response(status=500)  # as above
            response = web.StreamResponse(status=answer.status, reason=answer.reason)
            response.headers.extend(
                (name, value) for name, value in answer.headers.items() if name.lower() not in _HOP_HEADERS
            )
            await response.prepare(request)
            if request.method != "HEAD":
                async for chunk in answer.content.iter_chunked(_CHUNK_BYTES):
                    await response.write(chunk)
            await response.write_eof()
            return response


def _call(request: web.Request, service: str) -> str:
    """Name a call for people: the service and the operation, or what is asked of which object."""
    target = request.headers.get("X-Amz-Target", "").rpartition(".")[2]
    return f"{service} {target or f'{request.method} {request.path}'}"


def _throttled(service: str, method: str) -> web.Response:
    """Refuse a call in the words of its service."""
    message = "The local cloud throttles this call, as its faults say."
    if service == "s3":
        text = f"<Error><Code>SlowDown</Code><Message>{message}</Message></Error>"
        return web.Response(
            status=503, body=None if method == "HEAD" else text.encode(), content_type="application/xml"
        )
    code = _JSON_CODES.get(service, "ThrottlingException")
    headers = {"x-amzn-query-error": "RequestThrottled;Sender"} if service == "sqs" else {}
    return web.Response(
        status=400,
        body=msgspec.json.encode({"__type": code, "message": message}),
        content_type="application/x-amz-json-1.0",
        headers=headers,
    )
