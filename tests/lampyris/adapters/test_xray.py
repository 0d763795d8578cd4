import json
import socket
from collections.abc import Iterator
from typing import Any

import pytest

from lampyris.adapters.xray import Span, Tracer

HEADER = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled={}"
WHOLE = Span(name="predict", started_s=100.0, ended_s=100.5)
PARTS = (Span(name="run", started_s=100.1, ended_s=100.4),)


@pytest.fixture
def daemon() -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listening:
        listening.bind(("127.0.0.1", 0))
        listening.settimeout(5)
        yield listening


def tracer(daemon: socket.socket, header: str) -> Tracer:
    host, port = daemon.getsockname()
    return Tracer(f"{host}:{port}", trace_header=lambda: header, now_s=lambda: 1000.5)


def received(daemon: socket.socket) -> dict[str, Any]:
    header, _, document = daemon.recv(65536).partition(b"\n")
    assert json.loads(header) == {"format": "json", "version": 1}
    found: dict[str, Any] = json.loads(document)
    return found


def test_parts_stand_below_lambdas_own_segment(daemon: socket.socket) -> None:
    tracer(daemon, HEADER.format(1)).send(WHOLE, PARTS, {"model": "glow"})

    document = received(daemon)
    assert document["trace_id"] == "1-5759e988-bd862e3fe1be46a994272793"
    assert (document["parent_id"], document["type"]) == ("53995c3f42cd8ad8", "subsegment")
    assert (document["start_time"], document["end_time"]) == (1000.0, 1000.5)
    assert document["annotations"] == {"model": "glow"}
    assert [part["name"] for part in document["subsegments"]] == ["run"]
    assert len(document["id"]) == 16


@pytest.mark.parametrize("header", [HEADER.format(0), "", "Root=1-2-3;Sampled=1"])
def test_a_trace_that_is_not_sampled_is_not_sent(daemon: socket.socket, header: str) -> None:
    tracer(daemon, header).send(WHOLE, PARTS, {})
    tracer(daemon, HEADER.format(1)).send(WHOLE, (), {"model": "the next"})

    assert received(daemon)["annotations"] == {"model": "the next"}


def test_a_daemon_that_is_gone_costs_nothing() -> None:
    Tracer("127.0.0.1:9", trace_header=lambda: HEADER.format(1), now_s=lambda: 0).send(WHOLE, PARTS, {})
