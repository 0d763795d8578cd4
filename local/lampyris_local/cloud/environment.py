"""One execution environment: a runtime process, and what Lambda does around it."""

import asyncio
import math
import secrets
import shutil
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TypeVar

import msgspec

from lampyris_local.cloud.faults import Fates
from lampyris_local.cloud.faulty_endpoint import Caller
from lampyris_local.cloud.guard import Guard
from lampyris_local.cloud.invocation import RESPONSE_LIMIT_BYTES, Invocation
from lampyris_local.cloud.mortal import Mortal
from lampyris_local.cloud.process import Process
from lampyris_local.cloud.reports import LineKind, LogLine, Report
from lampyris_local.cloud.runtime_api import RuntimeApi, Work
from lampyris_local.cloud.stack import Function
from lampyris_local.cloud.variables import function_variables

MIB = 1024 * 1024
T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Machine:
    """What all execution environments share: the interpreter, the Runtime API, where files and lines go.

    `time_limit_s` shortens the timeouts of all functions. With `fates`, faults are injected: every
    environment that runs is among the `callers`, by its access key.
    """

    python: Path
    variables: Mapping[str, str]
    folder: Path
    runtime_api: RuntimeApi
    guard: Guard
    on_line: Callable[[LogLine], None]
    init_limit_s: float = 10.0
    time_limit_s: float = math.inf
    fates: Fates | None = None
    callers: dict[str, Caller] = field(default_factory=dict)


class _HandlerError(Exception):
    """The handler raised; the runtime lives on. `body` is the runtime's account of it."""

    def __init__(self, body: bytes) -> None:
        super().__init__()
        self.body = body


class _EnvironmentError(Exception):
    """The environment is lost.

    `status` stands in the REPORT line; `body` is what the runtime told, if anything.
    """

    def __init__(
        self,
        kind: str,
        message: str,
        *,
        status: Literal["timeout", "error"] = "error",
        body: bytes | None = None,
    ) -> None:
        super().__init__(message)
        self.kind = kind
        self.message = message
        self.status = status
        self.body = body


class Environment:
    """Runs requests for one function, one at a time."""

    def __init__(self, function: Function, machine: Machine) -> None:
        self._function = function
        self._machine = machine
        self._stream = f"{time.strftime('%Y/%m/%d', time.gmtime())}/[$LATEST]{secrets.token_hex(16)}"
        self._inbox: asyncio.Queue[Work] = asyncio.Queue()
        self._process: Process | None = None
        self._ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._result: asyncio.Future[bytes] | None = None
        self._request_id: str | None = None
        self._lost: _EnvironmentError | None = None
        self._init_duration_ms: float | None = None
        self._log: list[str] = []
        self._leftovers = AsyncExitStack()
        self._mortal = self._made_mortal(machine.fates) if machine.fates else None

    @property
    def alive(self) -> bool:
        return self._lost is None

    async def invoke(self, request_id: str, event: bytes) -> Invocation:
        """Run one request; the first one begins with INIT, and tells of an INIT that failed, as on Lambda."""
        if self._mortal is not None:
            self._mortal.begin()
        process = self._process or await self._init()
        self._request_id = request_id
        self._say("START", f"START RequestId: {request_id} Version: $LATEST")
        started_s = time.perf_counter()
        function_error: str | None = "Unhandled"
        try:
            body = await self._run(process, request_id, event)
            function_error = None
        except _HandlerError as error:
            body = error.body
        except _EnvironmentError as error:
            self._lost = error
            body = error.body or msgspec.json.encode(
                {"errorType": error.kind, "errorMessage": f"RequestId: {request_id} Error: {error.message}"}
            )
        if self._mortal is not None:
            self._mortal.end()
        duration_ms = (time.perf_counter() - started_s) * 1000
        process.sample_memory()
        process.flush_output()
        if self._lost is not None and self._lost.body is None:
            self._say("LOG", f"RequestId: {request_id} Error: {self._lost.message}\n{self._lost.kind}")
        report = Report(
            request_id=request_id,
            duration_ms=duration_ms,
            init_duration_ms=self._init_duration_ms,
            memory_mb=self._function.memory_mb,
            max_memory_mb=min(process.max_rss_bytes // MIB, self._function.memory_mb),
            status=self._lost.status if self._lost else None,
            error_type=self._lost.kind if self._lost else None,
        )
        self._init_duration_ms = None
        self._say("END", f"END RequestId: {request_id}")
        self._say("REPORT", report.line())
        log, self._log, self._request_id = self._log, [], None
        return Invocation(body=body, function_error=function_error, report=report, log=log)

    async def stop(self) -> None:
        """Kill the process and remove what it leaves."""
        await self._leftovers.aclose()

    async def _init(self) -> Process:
        """Start the process and wait until it asks for work."""
        process = await self._attempt_init(self._machine.init_limit_s)
        if self._lost is not None and self._lost.status == "timeout":
            # INIT took too long: Lambda begins again, now within the function's own timeout.
            await self._leftovers.aclose()
            process = await self._attempt_init(self._function.timeout_s)
        return process

    async def _attempt_init(self, limit_s: float) -> Process:
        self._lost, self._ready = None, asyncio.get_running_loop().create_future()
        started_s = time.perf_counter()
        process = await self._spawn()
        try:
            await self._under_limits(process, self._ready, limit_s)
        except _EnvironmentError as error:
            self._lost = error
        self._init_duration_ms = (time.perf_counter() - started_s) * 1000
        return process

    async def _spawn(self) -> Process:
        temporary = tempfile.mkdtemp(dir=self._machine.folder)
        self._leftovers.push_async_callback(asyncio.to_thread, shutil.rmtree, temporary, ignore_errors=True)
        access_key = {}
        if self._mortal is not None:
            access_key["AWS_ACCESS_KEY_ID"] = key = f"local-{secrets.token_hex(8)}"
            self._machine.callers[key] = self._mortal
            self._leftovers.callback(self._machine.callers.pop, key)
        address = await self._machine.runtime_api.open(self)
        self._leftovers.push_async_callback(self._machine.runtime_api.close, address)
        self._process = process = await Process.spawn(
            (self._machine.python, "-m", "awslambdaric", self._function.handler),
            folder=self._function.code,
            variables={
                **self._machine.variables,
                **function_variables(self._function),
                **access_key,
                "AWS_LAMBDA_LOG_STREAM_NAME": self._stream,
                "AWS_LAMBDA_RUNTIME_API": address,
                "TMPDIR": temporary,
            },
            guard=self._machine.guard,
            on_text=lambda line: self._say("LOG", line),
        )
        self._leftovers.push_async_callback(process.close)
        if self._mortal is not None and self._mortal.is_dead:
            process.kill()
        self._watch = asyncio.create_task(self._await_end(process, self._ready))
        return process

    async def _run(self, process: Process, request_id: str, event: bytes) -> bytes:
        if self._lost is not None:
            raise self._lost
        limit_s = min(self._function.timeout_s, self._machine.time_limit_s)
        self._result = asyncio.get_running_loop().create_future()
        self._inbox.put_nowait(
            Work(
                request_id=request_id,
                event=event,
                deadline_ms=int((time.time() + limit_s) * 1000),
                function_arn=self._function.arn,
                trace_id=_trace_id(),
            )
        )
        try:
            return await self._under_limits(process, self._result, limit_s)
        finally:
            self._result = None

    async def _under_limits(self, process: Process, outcome: asyncio.Future[T], limit_s: float) -> T:
        watch = asyncio.create_task(process.limit_memory(self._function.memory_mb * MIB))
        try:
            async with asyncio.timeout(limit_s):
                return await outcome
        except TimeoutError:
            process.kill()
            raise _EnvironmentError(
                "Sandbox.Timedout", f"Task timed out after {limit_s:.2f} seconds", status="timeout"
            ) from None
        finally:
            watch.cancel()

    async def _await_end(self, process: Process, ready: asyncio.Future[None]) -> None:
        """When the process ends, whoever waits for it gets to know."""
        reason = await process.end
        kind = "Runtime.OutOfMemory" if process.out_of_memory else "Runtime.ExitError"
        error = _EnvironmentError(kind, f"Runtime exited with error: {reason}")
        if not ready.done():
            ready.set_exception(error)
        elif self._result is not None and not self._result.done():
            self._result.set_exception(error)
        else:
            self._lost = self._lost or error

    # What the runtime's requests say.

    async def next_work(self) -> Work:
        if not self._ready.done():
            self._ready.set_result(None)
        return await self._inbox.get()

    def answered(self, request_id: str, body: bytes) -> bool:
        if len(body) > RESPONSE_LIMIT_BYTES:
            return self._settle(
                request_id,
                _EnvironmentError(
                    "Function.ResponseSizeTooLarge",
                    f"Response payload size ({len(body)} bytes) exceeded maximum allowed payload size "
                    f"({RESPONSE_LIMIT_BYTES} bytes).",
                ),
            )
        return self._settle(request_id, body)

    def failed(self, request_id: str, body: bytes) -> bool:
        return self._settle(request_id, _HandlerError(body))

    def init_failed(self, body: bytes) -> None:
        if not self._ready.done():
            self._ready.set_exception(_EnvironmentError("Runtime.InitError", "INIT failed", body=body))

    def _settle(self, request_id: str, outcome: bytes | Exception) -> bool:
        if request_id != self._request_id or self._result is None or self._result.done():
            return False
        if self._mortal is not None and not self._mortal.survives():
            return True
        if isinstance(outcome, Exception):
            self._result.set_exception(outcome)
        else:
            self._result.set_result(outcome)
        return True

    def _made_mortal(self, fates: Fates) -> Mortal:
        return Mortal(
            fates, self._function.logical_id, kill=self._kill, tell=lambda text: self._say("FAULT", text)
        )

    def _kill(self) -> None:
        if self._process is not None:
            self._process.kill()

    def _say(self, kind: LineKind, text: str) -> None:
        self._log.append(text)
        self._machine.on_line(
            LogLine(
                time_s=time.time(),
                function=self._function.logical_id,
                stream=self._stream,
                request_id=self._request_id,
                kind=kind,
                text=text,
            )
        )


def _trace_id() -> str:
    """An X-Ray header that asks for no trace: there is nothing here to send one to."""
    return f"Root=1-{int(time.time()):08x}-{secrets.token_hex(12)};Parent={secrets.token_hex(8)};Sampled=0"
