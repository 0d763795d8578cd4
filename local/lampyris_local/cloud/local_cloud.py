"""The local cloud: all the parts of it, put together from a template."""

import logging
import math
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Coroutine, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import replace
from functools import partial
from pathlib import Path
from secrets import token_hex
from types import TracebackType
from typing import Any, Self

import msgspec

from lampyris_local.caller import user_here
from lampyris_local.cloud.batch_server import BatchServer
from lampyris_local.cloud.dead_letters import DeadLetters
from lampyris_local.cloud.disturbed_mail import DisturbedMail
from lampyris_local.cloud.endpoint import MotoEndpoint
from lampyris_local.cloud.environment import Machine
from lampyris_local.cloud.faults import Fates, Faults
from lampyris_local.cloud.faulty_endpoint import Caller, FaultyEndpoint
from lampyris_local.cloud.gateway import Gateway, HttpRequest, HttpResponse
from lampyris_local.cloud.guard import Guard
from lampyris_local.cloud.http_server import HttpServer
from lampyris_local.cloud.hurrying import hurried
from lampyris_local.cloud.invocation import Invocation
from lampyris_local.cloud.lambdas import Lambdas
from lampyris_local.cloud.listening import HOST, listen
from lampyris_local.cloud.loop_thread import LoopThread
from lampyris_local.cloud.reports import LineKind, LogLine
from lampyris_local.cloud.resources import client, make_resources
from lampyris_local.cloud.runtime_api import RuntimeApi
from lampyris_local.cloud.sqs_source import SqsSource
from lampyris_local.cloud.stack import JobDefinition, Place, Queue, QueueSource, Route, Stack
from lampyris_local.cloud.template import read_stack
from lampyris_local.cloud.variables import shared_variables

log = logging.getLogger(__name__)


class LocalCloud:
    """Runs what a SAM template says, as a context manager: up when entered, all gone when left.

    `parameters` override the template's. `port` serves the HTTP API; 0 takes a free one. `endpoint` names a
    server for S3, SQS, DynamoDB and EventBridge; without it there is one in this process, on `endpoint_port`.
    `concurrency` limits the requests under way at once, beside as many as the queues may make.
    `time_limit_s` shortens the functions' timeouts, and with them the visibility timeouts of their queues.
    `faults` are injected into what functions and queues do.
    `on_line` gets every line of log, in the thread of the local cloud, and must not block. `python` runs the
    functions; it needs awslambdaric.

    Raises, when entered: TemplateError; OSError for a port that is taken or a Python that is not there.
    """

    def __init__(
        self,
        template: Path,
        *,
        parameters: Mapping[str, str] | None = None,
        port: int = 0,
        endpoint: str | None = None,
        endpoint_port: int = 0,
        idle_s: float = 300.0,
        concurrency: int = 10,
        time_limit_s: float | None = None,
        faults: Faults | None = None,
        python: Path | None = None,
        on_line: Callable[[LogLine], None] | None = None,
    ) -> None:
        self._template = template
        self._parameters = parameters or {}
        self._port = port
        self._endpoint = endpoint
        self._endpoint_port = endpoint_port
        self._idle_s = idle_s
        self._concurrency = concurrency
        self._time_limit_s = time_limit_s
        self._faults = faults or Faults()
        self._python = python or Path(sys.executable)
        self._on_line = on_line or (lambda _: None)
        self._parts = ExitStack()

    def __enter__(self) -> Self:
        with self._parts as parts:
            self._start(parts)
            self._parts = parts.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._parts.close()

    @property
    def api_url(self) -> str:
        return self._place.api_url

    @property
    def endpoint_url(self) -> str:
        return self._place.endpoint_url

    @property
    def region(self) -> str:
        return self._place.region

    @property
    def outputs(self) -> Mapping[str, str]:
        return self._stack.outputs

    @property
    def routes(self) -> Sequence[Route]:
        return self._stack.routes

    @property
    def sources(self) -> Sequence[QueueSource]:
        return self._stack.sources

    @property
    def job_definitions(self) -> Sequence[JobDefinition]:
        """What runs as jobs of AWS Batch."""
        return self._stack.job_definitions

    def invoke(self, function: str, event: Mapping[str, Any]) -> Invocation:
        """Invoke a function by its logical id, and wait.

        Raises: InvokeError where Lambda would not run it.
        """
        return self._loop.run(self._lambdas.invoke(function, msgspec.json.encode(event)))

    def request(self, request: HttpRequest) -> HttpResponse:
        """Send a request through the gateway without a socket."""
        return self._loop.run(self._gateway.handle(request))

    def stop_environments(self, function: str | None = None) -> None:
        """Stop the environments of one function, or of all: the next request is a cold start."""
        self._loop.run(self._lambdas.stop_environments(function))

    def _start(self, parts: ExitStack) -> None:
        if not self._python.is_file():
            raise FileNotFoundError(f"There is no Python at {self._python}; name an interpreter.")
        folder = Path(tempfile.mkdtemp(prefix="lampyris-local-"))
        parts.callback(shutil.rmtree, folder, ignore_errors=True)
        guard = parts.enter_context(Guard(folder))
        listener = parts.enter_context(listen(self._port))
        endpoint = self._endpoint or parts.enter_context(MotoEndpoint(self._endpoint_port)).url
        self._place = Place(
            api_url=f"http://{HOST}:{listener.getsockname()[1]}",
            endpoint_url=endpoint.rstrip("/"),
            # The servers in this process share one memory, so each stack there needs names of its own.
            stack_name="local" if self._endpoint else f"local-{token_hex(3)}",
        )
        stack = read_stack(self._template, self._parameters, self._place)
        self._stack = stack if self._time_limit_s is None else hurried(stack, self._time_limit_s)
        make_resources(self._stack, self._place)
        self._loop = parts.enter_context(LoopThread())
        runtime_api = RuntimeApi()
        self._loop.run(runtime_api.start())
        parts.callback(lambda: self._loop.run(runtime_api.stop()))
        callers: dict[str, Caller] = {}
        machine = Machine(
            python=self._python,
            variables=shared_variables(self._place) | self._start_faulty_endpoint(parts, callers),
            folder=folder,
            runtime_api=runtime_api,
            guard=guard,
            on_line=self._on_line,
            time_limit_s=math.inf if self._time_limit_s is None else self._time_limit_s,
            fates=self._fates(),
            callers=callers,
        )
        if self._stack.job_queues:
            batch = BatchServer(self._stack.job_queues, self._stack.job_definitions, machine)
            self._loop.run(batch.start())
            parts.callback(lambda: self._loop.run(batch.stop()))
            machine = replace(machine, variables={**machine.variables, **batch.variables})
        from_queues = sum(source.max_concurrency for source in self._stack.sources)
        self._lambdas = Lambdas(
            self._stack.functions, machine, concurrency=self._concurrency + from_queues, idle_s=self._idle_s
        )
        parts.callback(lambda: self._loop.run(self._lambdas.close()))
        self._start_sources(parts, self._stack)
        self._gateway = Gateway(self._stack.routes, self._lambdas.invoke, self._place)
        outputs = {**self._stack.outputs, "endpoint": self.endpoint_url, "region": self.region}
        server = HttpServer(self._gateway, outputs, listener)
        self._loop.run(server.start())
        parts.callback(lambda: self._loop.run(server.stop()))

    def _fates(self) -> Fates | None:
        if not self._faults.disturb_functions:
            return None
        return Fates(self._faults, {source.function for source in self._stack.sources})

    def _start_faulty_endpoint(self, parts: ExitStack, callers: Mapping[str, Caller]) -> dict[str, str]:
        """Put a proxy before the endpoint where calls are disturbed; return the variable that leads there."""
        if not self._faults.disturb_functions:
            return {}
        faulty = FaultyEndpoint(self._place.endpoint_url, callers)
        self._loop.run(faulty.start())
        parts.callback(lambda: self._loop.run(faulty.stop()))
        return {"AWS_ENDPOINT_URL": faulty.url}

    def _disturbed(self, queue: Queue) -> DisturbedMail | None:
        if not self._faults.disturb_queues:
            return None
        return DisturbedMail(self._faults, queue, partial(self._tell, "FAULT", queue))

    def _tell(self, kind: LineKind, queue: Queue, text: str) -> None:
        self._on_line(
            LogLine(
                time_s=time.time(),
                function=queue.logical_id,
                stream="",
                request_id=None,
                kind=kind,
                text=text,
            )
        )

    def _start_sources(self, parts: ExitStack, stack: Stack) -> None:
        if not stack.sources:
            return
        executor = ThreadPoolExecutor(
            max_workers=1 + sum(source.max_concurrency + 1 for source in stack.sources),
            thread_name_prefix="sqs",
        )
        parts.callback(executor.shutdown, wait=False, cancel_futures=True)
        sqs = parts.enter_context(closing(client("sqs", self._place)))
        for source in stack.sources:
            poller = SqsSource(
                source,
                self._lambdas.invoke,
                sqs=sqs,
                executor=executor,
                region=self._place.region,
                uploader=user_here(),
                disturbed=self._disturbed(source.queue),
            )
            self._keep_running(parts, poller.run())
        waking = {source.queue.arn for source in stack.sources}
        dead_letters = DeadLetters(
            [queue for queue in stack.queues if queue.arn not in waking],
            partial(self._tell, "QUEUE"),
            sqs=sqs,
            executor=executor,
        )
        self._keep_running(parts, dead_letters.run())

    def _keep_running(self, parts: ExitStack, work: Coroutine[Any, Any, None]) -> None:
        running = self._loop.start(work)
        running.add_done_callback(tell_of_failure)
        parts.callback(running.cancel)


def tell_of_failure(running: Future[None]) -> None:
    if not running.cancelled() and running.exception() is not None:
        log.critical("A queue is no longer looked at", exc_info=running.exception())
