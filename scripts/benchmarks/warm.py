"""Warm requests with a tensor of 3,072 floats: the whole handler against the least that anyone must do."""

from bench import Bench
from figures import Figure, compare
from processes import running, script

_JSON_AIM = 1.3
_BINARY_AIM_US = 150


def measure(bench: Bench, *, runs: int) -> list[Figure]:
    """Measure JSON and binary in one process, in turn with their references."""
    subject = bench.subjects.small_perceptron()
    command = script("child_warm.py", str(runs))
    with (
        bench.console.status("Warm requests"),
        running(command, bench.variables(subject, preload=True), bench.cores) as child,
    ):
        durations = child.answer()
        child.end()
    return [
        compare(
            "JSON",
            model=subject.label,
            reference="decode, run, encode",
            reference_s=durations["bare_json"],
            ours_s=durations["json"],
            comparison="ratio",
            aim=_JSON_AIM,
        ),
        compare(
            "binary",
            model=subject.label,
            reference="run",
            reference_s=durations["bare_run"],
            ours_s=durations["binary"],
            comparison="added_us",
            aim=_BINARY_AIM_US,
        ),
    ]
