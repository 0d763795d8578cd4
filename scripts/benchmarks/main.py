"""Measure what Lampyris adds to onnxruntime, and how it compares.

Every figure's reference is measured in the same run, in turn with it (A B A B …), so that a machine whose
speed drifts changes both; what is compared is the median over the pairs.
"""

import argparse
import json
import signal
import sys

import msgspec
from rich.console import Console, Group
from rich.table import Table

import async_batch
import async_jobs
import averaging_figures
import build_figures
import cold
import figures
import peer_figures
import soak
import warm
from bench import Bench, open_bench
from figures import Figure
from processes import Failed

_BENCHMARKS = {
    "cold": "Cold starts, against the floor",
    "warm": "Warm requests, against decode, run, encode",
    "peers": "Beside FastAPI, LitServe, MLServer and BentoML",
    "soak": "A long mixed load on many models",
    "build": "What the recipes come to; hours, if all their data are there",
    "async": "Jobs in the local cloud, batches against a bare loop, training by several functions",
}
_UNLESS_SAID = ("cold", "warm")
_STOPPED = 130
_FILE_COLUMNS = 150


class AsyncReport(msgspec.Struct, frozen=True, kw_only=True):
    """What is done asynchronously: jobs, batches, and training by several functions."""

    jobs: async_jobs.Report
    batches: list[async_batch.Line]
    averaging: averaging_figures.Report


Found = list[Figure] | soak.Report | build_figures.Report | AsyncReport


def main() -> None:
    """Run the benchmarks that the command line asks for."""
    asked = _arguments()
    for ending in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(ending, signal.default_int_handler)  # what was started must end, too
    try:
        with open_bench(Console(stderr=True), asked.cores) as bench:
            found = {name: _measure(name, bench, asked) for name in asked.benchmarks or _UNLESS_SAID}
            cores = len(bench.cores)
    except Failed as failure:
        sys.exit(f"bench: {failure}")
    except KeyboardInterrupt:
        print("bench: stopped.", file=sys.stderr)
        sys.exit(_STOPPED)
    if asked.json:
        print(json.dumps({"cores": cores, **msgspec.to_builtins(found)}, indent=2))
        return
    console = Console()
    if not console.is_terminal:
        console.width = _FILE_COLUMNS
    for name, result in found.items():
        console.print(_as_table(f"{_BENCHMARKS[name]}, {cores} core{'s' if cores > 1 else ''}", result))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="scripts/bench",
        description=__doc__.partition("\n")[0],
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="benchmarks:\n" + "\n".join(f"  {name:6} {what}" for name, what in _BENCHMARKS.items()),
    )
    parser.add_argument(
        "benchmarks",
        nargs="*",
        metavar="BENCHMARK",
        choices=[*_BENCHMARKS],
        help=f"any of {', '.join(_BENCHMARKS)}; {' and '.join(_UNLESS_SAID)} if none is named",
    )
    parser.add_argument(
        "--runs", type=_positive, default=20, help="cold starts, or trainings, of each kind (20)"
    )
    parser.add_argument("--warm-runs", type=_positive, default=1000, help="warm requests of each kind (1000)")
    parser.add_argument("--requests", type=_positive, default=100_000, help="requests of the soak (100000)")
    parser.add_argument(
        "--data",
        type=_named_path,
        action="append",
        default=[],
        metavar="NAME=PATH",
        help="where builds, and async, find data/NAME, such as mnist=/data/mnist; may be given for each",
    )
    parser.add_argument(
        "--only",
        choices=build_figures.names(),
        metavar="NAME",
        help="one recipe to build, or one figure of builds",
    )
    parser.add_argument("--cores", type=_positive, help="pin everything measured to so many cores")
    parser.add_argument("--json", action="store_true", help="print one JSON document instead of tables")
    return parser.parse_args()


def _positive(text: str) -> int:
    if not (text.isdecimal() and int(text) > 0):
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 1")
    return int(text)


def _named_path(text: str) -> tuple[str, str]:
    name, equals, path = text.partition("=")
    if not (name and equals and path):
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=PATH")
    return name, path


def _measure(name: str, bench: Bench, asked: argparse.Namespace) -> Found:
    match name:
        case "cold":
            return cold.measure(bench, runs=asked.runs)
        case "warm":
            return warm.measure(bench, runs=asked.warm_runs)
        case "peers":
            return peer_figures.measure(bench, runs=asked.runs, warm_runs=asked.warm_runs)
        case "build":
            return build_figures.measure(bench, data=dict(asked.data), only=asked.only, runs=asked.runs)
        case "async":
            return AsyncReport(
                jobs=async_jobs.measure(bench.console),
                batches=async_batch.measure(bench.console),
                averaging=averaging_figures.measure(bench.console, data=dict(asked.data).get("mnist")),
            )
        case _:
            return soak.measure(bench, requests=asked.requests)


def _as_table(title: str, found: Found) -> Table | Group:
    match found:
        case soak.Report():
            return soak.as_table(found)
        case AsyncReport():
            return Group(
                async_jobs.as_table(found.jobs),
                async_batch.as_table(found.batches),
                averaging_figures.as_table(found.averaging),
            )
        case build_figures.Report():
            return build_figures.as_table(found)
        case _:
            return figures.as_table(title, found)


if __name__ == "__main__":
    main()
