"""AWS's Lambda Runtime API: the HTTP server that a runtime asks for work.

Each execution environment gets an address of its own, as in Lambda: a request says by its port whose it is.
Source: https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
"""

from dataclasses import dataclass
from typing import Protocol

from aiohttp import web

from lampyris_local.cloud.invocation import RESPONSE_LIMIT_BYTES
from lampyris_local.cloud.listening import HOST, listen

PREFIX = "/2018-06-01/runtime"


@dataclass(frozen=True, kw_only=True)
class Work:
    """What /invocation/next hands to a runtime."""

    request_id: str
    event: bytes
    deadline_ms: int
    function_arn: str
    trace_id: str


class Runtime(Protocol):
    """The execution environment, as its runtime's requests see it."""

    async def next_work(self) -> Work: ...

    def answered(self, request_id: str, body: bytes) -> bool:
        """Take a result; false if no such request is under way."""

    def failed(self, request_id: str, body: bytes) -> bool:
        """Take an exception that the handler raised; false if no such request is under way."""

    def init_failed(self, body: bytes) -> None: ...


class RuntimeApi:
    def __init__(self) -> None:
        self._runtimes: dict[int, Runtime] = {}
        self._sites: dict[int, web.SockSite] = {}
        app = web.Application(client_max_size=0)
        app.router.add_get(f"{PREFIX}/invocation/next", self._next)
        app.router.add_post(f"{PREFIX}/invocation/{{request_id}}/response", self._response)
        app.router.add_post(f"{PREFIX}/invocation/{{request_id}}/error", self._error)
        app.router.add_post(f"{PREFIX}/init/error", self._init_error)
        # A runtime that was killed while it waited for work must not be given any.
        self._runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=0)

    async def start(self) -> None:
        await self._runner.setup()

    async def stop(self) -> None:
        await self._runner.cleanup()

    async def open(self, runtime: Runtime) -> str:
        """Listen for one runtime; return its AWS_LAMBDA_RUNTIME_API, host:port."""
        listener = listen(0)
        port = listener.getsockname()[1]
        self._runtimes[port] = runtime
        self._sites[port] = web.SockSite(self._runner, listener)
        await self._sites[port].start()
        return f"{HOST}:{port}"

    async def close(self, address: str) -> None:
        port = int(address.rpartition(":")[2])
        del self._runtimes[port]
        await self._sites.pop(port).stop()

    def _runtime(self, request: web.Request) -> Runtime:
        port = request.get_extra_info("sockname", (HOST, 0))[1]
        if port not in self._runtimes:
            raise web.HTTPGone
        return self._runtimes[port]

    async def _next(self, request: web.Request) -> web.Response:
        work = await self._runtime(request).next_work()
        return web.Response(
            body=work.event,
            content_type="application/json",
            headers={
                "Lambda-Runtime-Aws-Request-Id": work.request_id,
                "Lambda-Runtime-Deadline-Ms": str(work.deadline_ms),
                "Lambda-Runtime-Invoked-Function-Arn": work.function_arn,
                "Lambda-Runtime-Trace-Id": work.trace_id,
            },
        )

    async def _response(self, request: web.Request) -> web.Response:
        body = await request.read()
        request_id = request.match_info["request_id"]
        taken = self._runtime(request).answered(request_id, body)
        if len(body) > RESPONSE_LIMIT_BYTES:
            return _refusal(
                413,
                "RequestEntityTooLarge",
                f"Exceeded maximum allowed payload size ({RESPONSE_LIMIT_BYTES} bytes).",
            )
        return _accepted() if taken else _unknown(request_id)

    async def _error(self, request: web.Request) -> web.Response:
        body = await request.read()
        request_id = request.match_info["request_id"]
        return _accepted() if self._runtime(request).failed(request_id, body) else _unknown(request_id)

    async def _init_error(self, request: web.Request) -> web.Response:
        self._runtime(request).init_failed(await request.read())
        return _accepted()


def _accepted() -> web.Response:
    return web.json_response({"status": "OK"}, status=202)


def _unknown(request_id: str) -> web.Response:
    return _refusal(400, "InvalidRequestID", f"No request {request_id} is under way.")


def _refusal(status: int, kind: str, message: str) -> web.Response:
    return web.json_response({"errorType": kind, "errorMessage": message}, status=status)
