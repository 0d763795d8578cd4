"""Lampyris beside its peers: the same model from cold, and the same request warm."""

import json
import os
from collections.abc import Callable
from functools import partial
from itertools import count
from pathlib import Path

from bench import Bench
from figures import Figure, compare
from peer_servers import SERVERS, first_prediction_s
from peer_venvs import PEERS, python_of
from processes import HERE, Child, first_answer_s, running, script

_COLD_AIM = 4.0
_WARM_AIM = 3.5
_FASTAPI = "FastAPI + Mangum + boto3"
_NAMES = {"litserve": "LitServe", "mlserver": "MLServer", "bentoml": "BentoML"}
# Requests at a turn: enough to be warm in them, few enough that a drifting machine treats both alike.
_TURN = 10


def measure(bench: Bench, *, runs: int, warm_runs: int) -> list[Figure]:
    """Install the peers where they are not, and measure each in turn with Lampyris."""
    fastapi = python_of("fastapi", bench.console)
    servers = {name: python_of(name, bench.console) for name in SERVERS}
    return [*_cold(bench, fastapi, servers, runs=runs), _warm(bench, fastapi, runs=warm_runs)]


def _cold(bench: Bench, fastapi: Path, servers: dict[str, Path], *, runs: int) -> list[Figure]:
    """Time process start to first prediction: over HTTP for servers, as Lambda calls it for handlers."""
    subject = bench.subjects.resnet50_int8()
    variables = bench.variables(subject, preload=True)
    request = json.loads(subject.request.read_text(encoding="utf-8"))
    ours = partial(first_answer_s, script("child_lampyris.py"), variables, bench.cores)
    peers: dict[str, Callable[[], float]] = {
        _FASTAPI: partial(
            first_answer_s,
            [str(fastapi), str(PEERS / "fastapi_cold.py")],
            _with_event(variables),
            bench.cores,
        )
    }
    for name, python in servers.items():
        peers[_NAMES[name]] = partial(first_prediction_s, SERVERS[name], python, request, bench, variables)
    found: dict[str, tuple[list[float], list[float]]] = {name: ([], []) for name in peers}
    with bench.console.status("Cold starts of peers") as status:
        for run in range(runs + 1):
            for name, peer in peers.items():
                status.update(f"Cold starts, in turn with {name}: {run} of {runs}")
                peer_s, ours_s = peer(), ours()
                if run > 0:  # the first pair warms the disk's cache
                    found[name][0].append(peer_s)
                    found[name][1].append(ours_s)
    return [
        compare(
            "cold, known at INIT",
            model=subject.label,
            reference=name,
            reference_s=peers_s,
            ours_s=lampyris_s,
            comparison="speedup",
            aim=_COLD_AIM,
        )
        for name, (peers_s, lampyris_s) in found.items()
    ]


def _warm(bench: Bench, fastapi: Path, *, runs: int) -> Figure:
    """Time the same JSON event in two processes, a few requests of one, then a few of the other."""
    subject = bench.subjects.small_perceptron()
    variables = bench.variables(subject, preload=True)
    command = [str(fastapi), str(PEERS / "fastapi_turns.py")]
    found: tuple[list[float], list[float]] = ([], [])
    with (
        bench.console.status("Warm requests, in turn with FastAPI + Mangum"),
        running(command, _with_event(variables), bench.cores) as peer,
        running(script("child_lampyris_turns.py"), variables, bench.cores) as ours,
    ):
        for turn in count(-_TURN):  # the first turns warm both up
            for child, durations_s in zip((peer, ours), found, strict=True):
                answered = _turn(child)
                if turn >= 0:
                    durations_s.extend(answered)
            if len(found[0]) >= runs:
                break
    return compare(
        "warm, JSON, with log and metrics",
        model=subject.label,
        reference="FastAPI + Mangum + Powertools",
        reference_s=found[0],
        ours_s=found[1],
        comparison="speedup",
        aim=_WARM_AIM,
    )


def _turn(child: Child) -> list[float]:
    child.ask(_TURN)
    durations_s: list[float] = child.answer()
    return durations_s


def _with_event(variables: dict[str, str]) -> dict[str, str]:
    """Let a peer's environment import `event`, which stands one folder up."""
    return {**variables, "PYTHONPATH": os.fspath(HERE)}
