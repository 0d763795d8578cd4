"""The predict function without Lambda around it: `call(method, path, …)` makes the event for it."""

import base64
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter, time
from typing import Any

import pytest

from lampyris.adapters.telemetry import Telemetry
from lampyris.bootstrap import Serving, read_settings, wire_loading, wire_serving
from lampyris.domain.store import Store
from lampyris.http.predict_function import PredictFunction


class Context:
    """An invocation with all the time that the template gives it."""

    aws_request_id = "req-1"

    def get_remaining_time_in_millis(self) -> int:
        return 29_000


@dataclass(frozen=True)
class Answer:
    """A response as a caller sees it; `body` is still compressed where it was sent so."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def document(self) -> Any:
        return json.loads(self.body, parse_constant=_refuse)


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON")


Call = Callable[..., Answer]


def event(
    method: str, path: str, body: str | bytes, headers: Mapping[str, str], query: Mapping[str, str]
) -> dict[str, Any]:
    return {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path,
        "headers": dict(headers),
        "queryStringParameters": dict(query),
        "requestContext": {"http": {"method": method, "path": path}},
        "body": base64.b64encode(body).decode() if isinstance(body, bytes) else body,
        "isBase64Encoded": isinstance(body, bytes),
    }


@pytest.fixture
def serving(store: Store, tmp_path: Path) -> Serving:
    settings = read_settings(
        {
            "LAMPYRIS_BUCKET": "unused",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "10240",
            "TMPDIR": str(tmp_path / "scratch"),
        }
    )
    return wire_serving(wire_loading(settings, store, clock=perf_counter))


@pytest.fixture
def function(serving: Serving) -> PredictFunction:
    return PredictFunction(serving, Telemetry("predict", now_s=time), None, init_ms=12.5)


@pytest.fixture
def context() -> Context:
    return Context()


@pytest.fixture
def call(function: PredictFunction, context: Context) -> Call:
    """Call the function: a `str` or `bytes` body is sent as it is, anything else as JSON."""

    def call_function(
        method: str,
        path: str,
        body: Any = "",
        *,
        content_type: str = "application/json",
        headers: Mapping[str, str] | None = None,
        query: Mapping[str, str] | None = None,
    ) -> Answer:
        sent = body if isinstance(body, str | bytes) else json.dumps(body)
        all_headers = {"content-type": content_type, **(headers or {})}
        response = function.handle(event(method, path, sent, all_headers, query or {}), context)
        text = response["body"]
        received = base64.b64decode(text) if response["isBase64Encoded"] else text.encode()
        return Answer(response["statusCode"], response["headers"], received)

    return call_function


@pytest.fixture
def address(function: PredictFunction, context: Context) -> Iterator[str]:
    """Serve the function over HTTP, behind the local cloud's API Gateway, at this "host:port"."""
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

    async def invoke(name: str, payload: bytes) -> Invocation:
        response = json.dumps(function.handle(json.loads(payload), context)).encode()
        return Invocation(body=response, function_error=None, report=report, log=())

    listener = listen(0)
    host, port = listener.getsockname()
    place = Place(api_url=f"http://{host}:{port}", endpoint_url="")
    gateway = Gateway([Route(function="predict", method="ANY", path=None)], invoke, place)
    server = HttpServer(gateway, {}, listener)
    with LoopThread() as loop:
        loop.run(server.start())
        yield f"{host}:{port}"
        loop.run(server.stop())
