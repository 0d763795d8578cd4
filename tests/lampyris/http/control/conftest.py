"""The control function without Lambda around it, and both functions over HTTP."""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from itertools import count
from pathlib import Path
from time import perf_counter, time
from typing import Any

import pytest
from samtranslator.yaml_helper import yaml_parse

from lampyris.adapters.memory_queues import MemoryQueues
from lampyris.adapters.memory_table import MemoryTable
from lampyris.adapters.object_store import memory_store
from lampyris.adapters.telemetry import Telemetry
from lampyris.bootstrap import Control
from lampyris.domain.store import Store
from lampyris.http.control.function import ControlFunction
from lampyris.http.predict_function import PredictFunction
from lampyris.jobs.jobs import Jobs

TEMPLATE = Path(__file__).parents[4] / "template.yaml"
NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)


class Context:
    """An invocation with so many seconds left."""

    aws_request_id = "req-1"

    def __init__(self, left_s: float) -> None:
        self.left_s = left_s

    def get_remaining_time_in_millis(self) -> int:
        return int(self.left_s * 1000)


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: str

    @property
    def document(self) -> Any:
        return json.loads(self.body)


Ask = Callable[..., Answer]


def control_of(store: Store, jobs: Jobs) -> Control:
    """Wire the function with a clock that stands and identifiers that count."""
    ids = count(1)
    return Control(
        store=store,
        backups=memory_store(),
        body_limit_bytes=1000,
        clock=perf_counter,
        now=lambda: NOW,
        new_id=lambda: f"{next(ids):032x}",
        open_jobs=lambda: jobs,
    )


@pytest.fixture
def jobs() -> Jobs:
    return Jobs(MemoryTable(), MemoryQueues(), now=lambda: NOW)


@pytest.fixture
def control_function(store: Store, jobs: Jobs) -> ControlFunction:
    return _function_of(control_of(store, jobs))


def _function_of(control: Control) -> ControlFunction:
    return ControlFunction(control, Telemetry("control", now_s=time), init_ms=12.5)


@pytest.fixture
def ask(ask_in: Callable[[float], Ask]) -> Ask:
    """Ask the control function: makes the event for it. A body that is no text is sent as JSON."""
    return ask_in(29.0)


@pytest.fixture
def ask_in(control_function: ControlFunction) -> Callable[[float], Ask]:
    """Ask the control function as `ask` does, with so many seconds left for the answer."""
    return partial(_asking, control_function)


@pytest.fixture
def asking_of(jobs: Jobs) -> Callable[[Store], Ask]:
    """Ask a control function of a store of one's own."""
    return lambda store: _asking(_function_of(control_of(store, jobs)), 29.0)


def _asking(function: ControlFunction, left_s: float) -> Ask:
    def ask_function(
        method: str,
        path: str,
        body: Any = "",
        *,
        headers: Mapping[str, str] | None = None,
        query: Mapping[str, str] | None = None,
        by: str | None = None,
    ) -> Answer:
        context: dict[str, Any] = {"http": {"method": method, "path": path}}
        if by is not None:
            context["authorizer"] = {"iam": {"userArn": by}}
        event = {
            "version": "2.0",
            "routeKey": "ANY /{path+}",
            "rawPath": path,
            "headers": {"content-type": "application/json", **(headers or {})},
            "queryStringParameters": dict(query or {}),
            "requestContext": context,
            "body": body if isinstance(body, str) else json.dumps(body),
        }
        response = function.handle(event, Context(left_s))
        return Answer(response["statusCode"], response["headers"], response["body"])

    return ask_function


def routes_of_template() -> list[tuple[str, str, str | None]]:
    """Read which function answers where: "control" for all that stand for it, or else "predict"."""
    return [
        (
            "predict" if name == "PredictFunction" else "control",
            event["Properties"].get("Method", "ANY"),
            event["Properties"].get("Path"),
        )
        for name, function in yaml_parse(TEMPLATE.read_text())["Resources"].items()
        for event in function.get("Properties", {}).get("Events", {}).values()
        if isinstance(event, dict) and event["Type"] == "HttpApi"
    ]


@pytest.fixture
def api(
    function: PredictFunction,
    control_function: ControlFunction,
    context: Any,
) -> Iterator[str]:
    """Serve both functions over HTTP, behind the local cloud's API Gateway, at this address."""
    from lampyris_local.cloud.gateway import Gateway
    from lampyris_local.cloud.http_server import HttpServer
    from lampyris_local.cloud.invocation import Invocation
    from lampyris_local.cloud.listening import listen
    from lampyris_local.cloud.loop_thread import LoopThread
    from lampyris_local.cloud.reports import Report
    from lampyris_local.cloud.stack import Place, Route

    report = Report(
        request_id="", duration_ms=0, init_duration_ms=None, memory_mb=1769, max_memory_mb=0, status=None
    )
    functions: dict[str, Any] = {"predict": function, "control": control_function}

    async def invoke(name: str, payload: bytes) -> Invocation:
        response = json.dumps(functions[name].handle(json.loads(payload), context)).encode()
        return Invocation(body=response, function_error=None, report=report, log=())

    listener = listen(0)
    host, port = listener.getsockname()
    place = Place(api_url=f"http://{host}:{port}", endpoint_url="")
    routes = [
        Route(function=function, method=method, path=path) for function, method, path in routes_of_template()
    ]
    server = HttpServer(Gateway(routes, invoke, place), {}, listener)
    with LoopThread() as loop:
        loop.run(server.start())
        yield place.api_url
        loop.run(server.stop())
