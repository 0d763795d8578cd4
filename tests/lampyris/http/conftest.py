"""The predict function without Lambda around it: `call(method, path, …)` makes the event for it."""

import base64
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter, time
from typing import Any

import pytest

from lampyris.adapters.telemetry import Telemetry
from lampyris.bootstrap import read_settings, wire_serving
from lampyris.domain.store import Store
from lampyris.http.predict_function import PredictFunction

REQUEST_ID = "req-1"


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    document: Any


Call = Callable[..., Answer]


def event(method: str, path: str, body: str | bytes, content_type: str) -> dict[str, Any]:
    binary = isinstance(body, bytes)
    return {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path,
        "headers": {"content-type": content_type},
        "requestContext": {"http": {"method": method, "path": path}},
        "body": base64.b64encode(body).decode() if isinstance(body, bytes) else body,
        "isBase64Encoded": binary,
    }


@pytest.fixture
def function(store: Store, tmp_path: Path) -> PredictFunction:
    settings = read_settings({"LAMPYRIS_BUCKET": "unused", "TMPDIR": str(tmp_path / "scratch")})
    serving = wire_serving(settings, store, clock=perf_counter)
    return PredictFunction(serving, Telemetry("predict", now_s=time), init_ms=12.5)


@pytest.fixture
def call(function: PredictFunction) -> Call:
    def call_function(
        method: str, path: str, body: Any = "", *, content_type: str = "application/json"
    ) -> Answer:
        sent = body if isinstance(body, str | bytes) else json.dumps(body)
        response = function.handle(event(method, path, sent, content_type), REQUEST_ID)
        return Answer(response["statusCode"], response["headers"], json.loads(response["body"]))

    return call_function
