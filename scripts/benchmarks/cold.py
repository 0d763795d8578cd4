"""Cold starts: from the start of a process to its first prediction, against the floor."""

import tempfile

from bench import Bench
from figures import Figure, compare
from processes import first_answer_s, script
from subjects import Subject

_SMALL_AIM = 1.25
_INT8_AIM = 1.15
_FP32_AIM = 1.25


def measure(bench: Bench, *, runs: int) -> list[Figure]:
    """Measure each model known at INIT, and known only from the request."""
    subjects = bench.subjects
    aims = (
        (subjects.resnet50_int8(), _INT8_AIM),
        (subjects.resnet50_fp32(), _FP32_AIM),
        (subjects.digits(), _SMALL_AIM),
    )
    return [figure for subject, aim in aims for figure in _of_subject(bench, subject, runs=runs, aim=aim)]


def _of_subject(bench: Bench, subject: Subject, *, runs: int, aim: float) -> list[Figure]:
    known: tuple[list[float], list[float]] = ([], [])
    unknown: tuple[list[float], list[float]] = ([], [])
    with (
        tempfile.TemporaryDirectory(dir=bench.folder) as folder,
        bench.console.status(f"Cold starts of {subject.name}") as status,
    ):
        floor = script("child_floor.py")
        lampyris = script("child_lampyris.py", "binary")
        rounds = ((known, floor, True), (unknown, [*floor, folder], False))
        for run in range(runs + 1):
            status.update(f"Cold starts of {subject.name}: {run} of {runs}")
            for (floors_s, ours_s), floor_command, preload in rounds:
                variables = bench.variables(subject, preload=preload)
                floor_s = first_answer_s(floor_command, variables, bench.cores)
                lampyris_s = first_answer_s(lampyris, variables, bench.cores)
                if run > 0:  # the first pair warms the disk's cache
                    floors_s.append(floor_s)
                    ours_s.append(lampyris_s)
    return [
        compare(
            "known at INIT",
            model=subject.label,
            reference="import, open, run",
            reference_s=known[0],
            ours_s=known[1],
            comparison="ratio",
            aim=aim,
        ),
        compare(
            "known from the request",
            model=subject.label,
            reference="import, fetch, open, run",
            reference_s=unknown[0],
            ours_s=unknown[1],
            comparison="ratio",
            aim=aim,
        ),
    ]
