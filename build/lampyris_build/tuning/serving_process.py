"""The process that `served` starts: the predict function on a registry in a folder, asked on one core.

`python -m lampyris_build.tuning.serving_process FOLDER` reads FOLDER/request.json and FOLDER/registry, and
writes FOLDER/served.json. It imports what the function imports, so that its memory is the function's.
"""

import os
import resource
import sys
from time import perf_counter, time

# One vCPU, before anything that starts threads.
if hasattr(os, "sched_setaffinity"):
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:1])
os.environ["OPENBLAS_NUM_THREADS"] = "1"

from pathlib import Path

import msgspec

from lampyris.adapters.folder_store import FolderStore
from lampyris.adapters.telemetry import Telemetry
from lampyris.bootstrap import read_settings, wire_loading, wire_serving
from lampyris.http.event import Event
from lampyris.http.predict_function import PredictFunction

_WARM_UP = 10
_LEAST = 20
_MOST = 200
_BUDGET_S = 3.0
_OK = 200
_LOADING = 503
# How often the model is asked for until it is loaded, each time for as long as a request may wait.
_LOADING_TRIES = 10


class _Context:
    aws_request_id = "measured"

    def get_remaining_time_in_millis(self) -> int:
        return 29_000


def main(work: Path) -> None:
    """Ask until there are enough durations, or the time is over."""
    settings = read_settings({"LAMPYRIS_BUCKET": "none", "TMPDIR": str(work)})
    serving = wire_serving(wire_loading(settings, FolderStore(work / "registry"), clock=perf_counter))
    function = PredictFunction(serving, Telemetry("predict", now_s=time), None, init_ms=None)
    event, context = _event((work / "request.json").read_text(encoding="utf-8")), _Context()
    for _ in range(_LOADING_TRIES):  # a busy machine may take longer to load it than a request waits
        if function.handle(event, context)["statusCode"] != _LOADING:
            break
    durations_ms: list[float] = []
    until_s = perf_counter() + _BUDGET_S
    while len(durations_ms) < _WARM_UP + _MOST:
        if len(durations_ms) >= _WARM_UP + _LEAST and perf_counter() > until_s:
            break
        started_s = perf_counter()
        response = function.handle(event, context)
        durations_ms.append((perf_counter() - started_s) * 1000)
        if response["statusCode"] != _OK:
            sys.exit(str(response["body"]))
    served = {"durations_ms": durations_ms[_WARM_UP:], "held_bytes": _held_bytes()}
    (work / "served.json").write_bytes(msgspec.json.encode(served))


def _held_bytes() -> int:
    # What getrusage tells begins, on Linux, with what the process held that started this one.
    try:
        status = Path("/proc/self/status").read_text(encoding="ascii")
    except FileNotFoundError:  # macOS; in bytes
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM")) * 1024


def _event(body: str) -> Event:
    path = "/v2/models/measured/infer"
    return {
        "version": "2.0",
        "rawPath": path,
        "headers": {"content-type": "application/json"},
        "requestContext": {"http": {"method": "POST", "path": path}},
        "body": body,
        "isBase64Encoded": False,
    }


if __name__ == "__main__":
    main(Path(sys.argv[1]))
