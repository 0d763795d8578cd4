"""The edge: an HTTP server around the gateway, and two addresses of the local cloud's own.

`GET /_local/outputs` answers what DescribeStacks would: the template's Outputs, with `endpoint` and `region`.
`GET /_local/health` answers 200 as soon as everything is up.
"""

import socket
from collections.abc import Mapping

from aiohttp import web
from multidict import CIMultiDict

from lampyris_local.cloud.gateway import BODY_LIMIT_BYTES, TOO_LARGE, Gateway, HttpRequest

# What an answer says of its own transport is the server's to say.
OWN_HEADERS = frozenset({"connection", "content-length", "date", "keep-alive", "server", "transfer-encoding"})


class HttpServer:
    def __init__(self, gateway: Gateway, outputs: Mapping[str, str], listener: socket.socket) -> None:
        self._gateway = gateway
        self._outputs = dict(outputs)
        self._listener = listener
        # aiohttp refuses what reaches its limit, API Gateway what exceeds it.
        app = web.Application(client_max_size=BODY_LIMIT_BYTES + 1)
        app.router.add_get("/_local/outputs", self._answer_outputs)
        app.router.add_get("/_local/health", self._answer_health)
        app.router.add_route("*", r"/{path:[\s\S]*}", self._pass_on)  # a decoded path may hold line ends
        self._runner = web.AppRunner(app, access_log=None, auto_decompress=False, shutdown_timeout=0)

    async def start(self) -> None:
        await self._runner.setup()
        await web.SockSite(self._runner, self._listener).start()

    async def stop(self) -> None:
        await self._runner.cleanup()

    async def _answer_outputs(self, _request: web.Request) -> web.Response:
        return web.json_response(self._outputs)

    async def _answer_health(self, _request: web.Request) -> web.Response:
        return web.json_response({"status": "ok"})

    async def _pass_on(self, request: web.Request) -> web.Response:
        path, _, query = request.raw_path.partition("?")
        try:
            incoming = HttpRequest(
                method=request.method,
                path=path,
                query=query,
                headers=list(request.headers.items()),
                body=await request.read(),
                source_ip=request.remote or "",
            )
        except web.HTTPRequestEntityTooLarge:
            response = TOO_LARGE
        else:
            response = await self._gateway.handle(incoming)
        headers = CIMultiDict((name, value) for name, value in response.headers if name not in OWN_HEADERS)
        return web.Response(status=response.status, body=response.body, headers=headers)
