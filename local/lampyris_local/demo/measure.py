"""The demo's figures, taken through the HTTP API, as a caller sees them."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from lampyris_local.client import Answer, Client, Payload
from lampyris_local.cloud.local_cloud import LocalCloud
from lampyris_local.cloud.reports import LogLine

_PREDICT = "PredictFunction"
_INIT = re.compile(r"Init Duration: ([\d.]+) ms")


class InitDuration:
    """Listens to the local cloud's log, and remembers the last INIT that a REPORT line of predict told of."""

    def __init__(self) -> None:
        self.latest_ms = 0.0

    def hear(self, line: LogLine) -> None:
        found = _INIT.search(line.text)
        if line.kind == "REPORT" and line.function == _PREDICT and found is not None:
            self.latest_ms = float(found[1])


@dataclass(frozen=True, kw_only=True)
class ColdStart:
    """A request that met no running environment: the whole call, and what is known of its parts."""

    elapsed_ms: float
    parts_ms: Mapping[str, float]


@dataclass(frozen=True, kw_only=True)
class Latency:
    p50_ms: float
    p99_ms: float


def cold_start(
    cloud: LocalCloud,
    client: Client,
    inits: InitDuration,
    *,
    model: str,
    payload: Payload,
    times: int,
    on_each: Callable[[str], None],
) -> ColdStart:
    """Stop every environment and ask, some times over; return the median one."""
    found = []
    for _ in range(times):
        stop_environments(cloud)
        answer = client.predict(model, payload)
        found.append(
            ColdStart(elapsed_ms=answer.elapsed_ms, parts_ms=_parts(answer, init_ms=inits.latest_ms))
        )
        on_each(f"{answer.elapsed_ms:.0f} ms")
    return sorted(found, key=lambda cold: cold.elapsed_ms)[times // 2]


def stop_environments(cloud: LocalCloud) -> None:
    """Have the next request meet a predict environment that knows nothing yet."""
    cloud.stop_environments(_PREDICT)


def _parts(answer: Answer, *, init_ms: float) -> dict[str, float]:
    parts_ms = {"init": init_ms} | {name: answer.parts_ms[name] for name in ("fetch", "session", "run")}
    return parts_ms | {"rest": answer.elapsed_ms - sum(parts_ms.values())}


def latency(durations_ms: Sequence[float]) -> Latency:
    p50_ms, p99_ms = np.percentile(durations_ms, (50, 99))
    return Latency(p50_ms=float(p50_ms), p99_ms=float(p99_ms))
