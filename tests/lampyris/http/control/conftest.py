"""The control function without Lambda around it: `ask(method, path)` makes the event for it."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count
from time import perf_counter, time
from typing import Any

import pytest

from lampyris.adapters.telemetry import Telemetry
from lampyris.bootstrap import Control
from lampyris.domain.store import Store
from lampyris.http.control.function import ControlFunction

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)


class Context:
    aws_request_id = "req-1"

    def get_remaining_time_in_millis(self) -> int:
        return 10_000


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: str

    @property
    def document(self) -> Any:
        return json.loads(self.body)


Ask = Callable[..., Answer]


def control_of(store: Store) -> Control:
    """Wire the function with a clock that stands and identifiers that count."""
    ids = count(1)
    return Control(store=store, body_limit_bytes=1000, now=lambda: NOW, new_id=lambda: f"{next(ids):032x}")


@pytest.fixture
def control_function(store: Store) -> ControlFunction:
    return ControlFunction(
        control_of(store), Telemetry("control", now_s=time), clock=perf_counter, init_ms=12.5
    )


@pytest.fixture
def ask(control_function: ControlFunction) -> Ask:
    def ask_function(method: str, path: str, body: str = "") -> Answer:
        event = {
            "version": "2.0",
            "routeKey": f"ANY {path}",
            "rawPath": path,
            "headers": {},
            "requestContext": {"http": {"method": method, "path": path}},
            "body": body,
        }
        response = control_function.handle(event, Context())
        return Answer(response["statusCode"], response["headers"], response["body"])

    return ask_function
