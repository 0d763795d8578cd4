"""The peers that are servers: how each is started, when it is ready, and what its first request is."""

import json
from collections.abc import Callable, Mapping
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from time import perf_counter, sleep
from typing import Any

import msgspec

from bench import Bench
from peer_venvs import PEERS
from processes import Child, free_port, running

_LIMIT_S = 60
_POLL_S = 0.005
_OK = 200


class Server(msgspec.Struct, frozen=True, kw_only=True):
    """A server to start. `command` takes its interpreter, its port and a folder of its own."""

    command: Callable[[Path, int, Path], list[str]]
    variables: Mapping[str, str]
    ready: str
    predict: str
    body: Callable[[dict[str, Any]], dict[str, Any]]


def _litserve(python: Path, port: int, _: Path) -> list[str]:
    return [str(python), str(PEERS / "litserve_server.py"), str(port)]


def _mlserver(python: Path, port: int, folder: Path) -> list[str]:
    """Write the two files that MLServer reads; what can be switched off is."""
    settings = {
        "host": "127.0.0.1",
        "http_port": port,
        "grpc_port": free_port(),
        "metrics_endpoint": None,
        "parallel_workers": 0,
        "debug": False,
        "gzip_enabled": False,
    }
    model = {"name": "pictures", "implementation": "mlserver_runtime.OnnxRuntime"}
    (folder / "settings.json").write_text(json.dumps(settings), encoding="utf-8")
    (folder / "model-settings.json").write_text(json.dumps(model), encoding="utf-8")
    return [str(python.with_name("mlserver")), "start", str(folder)]


def _bentoml(python: Path, port: int, _: Path) -> list[str]:
    options = ["--host", "127.0.0.1", "--port", str(port), "--working-dir", str(PEERS), "--quiet"]
    return [str(python.with_name("bentoml")), "serve", "bentoml_service:Pictures", *options]


def _same(request: dict[str, Any]) -> dict[str, Any]:
    return request


def _nested(request: dict[str, Any]) -> dict[str, Any]:
    """Write the one input as nested rows, under the name of the service's parameter."""
    (tensor,) = request["inputs"]
    rows = tensor["data"]
    for size in reversed(tensor["shape"][1:]):
        rows = [rows[start : start + size] for start in range(0, len(rows), size)]
    return {"picture": rows}


SERVERS = {
    "litserve": Server(command=_litserve, variables={}, ready="/health", predict="/predict", body=_same),
    "mlserver": Server(
        command=_mlserver,
        variables={"PYTHONPATH": str(PEERS)},
        ready="/v2/models/pictures/ready",
        predict="/v2/models/pictures/infer",
        body=_same,
    ),
    "bentoml": Server(
        command=_bentoml,
        variables={"BENTOML_DO_NOT_TRACK": "true"},
        ready="/readyz",
        predict="/predict",
        body=_nested,
    ),
}


def first_prediction_s(
    server: Server, python: Path, request: dict[str, Any], bench: Bench, variables: Mapping[str, str]
) -> float:
    """Time from the start of a server's process to the end of its first answer.

    It is asked whether it is ready every few milliseconds, and for a prediction once it is.
    Raises: Failed.
    """
    port = free_port()
    folder = bench.folder / "server"
    folder.mkdir(exist_ok=True)
    body = json.dumps(server.body(request)).encode()
    command = server.command(python, port, folder)
    started_s = perf_counter()
    with running(command, {**variables, **server.variables}, bench.cores, folder=folder) as child:
        while not _is_ready(port, server.ready):
            child.check_alive()
            if perf_counter() - started_s > _LIMIT_S:
                raise child.failed(f"was not ready within {_LIMIT_S} s")
            sleep(_POLL_S)
        _predict(child, port, server.predict, body)
        return perf_counter() - started_s


def _is_ready(port: int, path: str) -> bool:
    connection = HTTPConnection("127.0.0.1", port, timeout=_LIMIT_S)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == _OK
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()


def _predict(child: Child, port: int, path: str, body: bytes) -> None:
    connection = HTTPConnection("127.0.0.1", port, timeout=_LIMIT_S)
    try:
        connection.request("POST", path, body, {"content-type": "application/json"})
        response = connection.getresponse()
        said = response.read()
    except (OSError, HTTPException) as error:
        raise child.failed(f"did not answer ({error})") from error
    finally:
        connection.close()
    if response.status != _OK:
        raise child.failed(f"answered {response.status}: {said[:200].decode(errors='replace')}")
