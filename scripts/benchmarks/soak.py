"""One environment under a long mixed load: more models than fit its memory, and none of it may be lost."""

import json
from collections import Counter
from statistics import median

import msgspec
from rich.box import SIMPLE_HEAD
from rich.progress import Progress
from rich.table import Table

import perceptron
from bench import Bench
from figures import p99
from processes import running, script

_MEMORY_MB = 512
_MODELS = 20
_SMALLEST_MB, _LARGEST_MB = 5, 25
_INPUTS, _CLASSES = 64, 10
_SAMPLES = 200
_GROWTH_AIM = 0.05


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What a soak found. Memory is the resident set: `start` after warm-up, a fifth of the requests."""

    requests: int
    models: int
    models_mb: float
    memory_mb: int
    errors: dict[str, int]
    loads: int
    p50_ms: float
    p99_ms: float
    rss_start_mb: float
    rss_end_mb: float
    rss_peak_mb: float
    rss_curve_mb: list[float]
    growth: float


def measure(bench: Bench, *, requests: int) -> Report:
    """Soak the predict function in requests to models of 5 to 25 MB."""
    subjects = [bench.subjects.perceptron(f"soak-{rank}", _widths(rank)) for rank in range(_MODELS)]
    batches = min(_SAMPLES, requests)
    names = [subject.name for subject in subjects]
    plan = json.dumps([names, perceptron.INPUT, _INPUTS, batches, requests // batches])
    variables = bench.variables(subjects[0], preload=False, memory_mb=_MEMORY_MB)
    with (
        running(script("child_soak.py", plan), variables, bench.cores) as child,
        Progress(console=bench.console, disable=not bench.console.is_terminal) as progress,
    ):
        task = progress.add_task("Soaking", total=batches)
        answers = []
        for _ in range(batches):
            answers.append(child.answer())
            progress.advance(task)
        child.end()
    durations_s = [duration_s for answer in answers for duration_s in answer["durations_s"]]
    curve_mb = [answer["rss_kb"] / 1024 for answer in answers]
    fifth = max(1, batches // 5)
    start_mb, end_mb = median(curve_mb[fifth : 2 * fifth] or curve_mb), median(curve_mb[-fifth:])
    return Report(
        requests=len(durations_s),
        models=_MODELS,
        models_mb=sum(subject.size_bytes for subject in subjects) / 2**20,
        memory_mb=_MEMORY_MB,
        errors=dict(sum((Counter(answer["errors"]) for answer in answers), Counter())),
        loads=sum(answer["loads"] for answer in answers),
        p50_ms=median(durations_s) * 1000,
        p99_ms=p99(durations_s) * 1000,
        rss_start_mb=start_mb,
        rss_end_mb=end_mb,
        rss_peak_mb=answers[-1]["peak_kb"] / 1024,
        rss_curve_mb=curve_mb,
        growth=end_mb / start_mb - 1,
    )


def _widths(rank: int) -> tuple[int, ...]:
    """Give each model a size of its own, in an order that has nothing to do with how much it is asked for."""
    place = rank * 7 % _MODELS
    size_mb = _SMALLEST_MB + (_LARGEST_MB - _SMALLEST_MB) * place / (_MODELS - 1)
    side = round((size_mb * 2**20 / 4) ** 0.5)
    return (_INPUTS, side, side, _CLASSES)


def as_table(report: Report) -> Table:
    """Lay a report out for a person."""
    table = Table(
        title=f"{report.requests:,} requests over {report.models} models "
        f"({report.models_mb:.0f} MB together) in {report.memory_mb} MB",
        caption="; ".join(f"{count} of {error}" for error, count in report.errors.items()) or None,
        title_justify="left",
        box=SIMPLE_HEAD,
    )
    table.add_column("what")
    table.add_column("found", justify="right")
    table.add_column("aim", justify="right")
    errors = sum(report.errors.values())
    table.add_row("errors", _judged(f"{errors:,}", met=not errors), "0")
    growth = _judged(f"{report.growth:+.1%}", met=report.growth < _GROWTH_AIM)
    table.add_row("growth of the resident set after warm-up", growth, f"< {_GROWTH_AIM:.0%}")
    peak = _judged(f"{report.rss_peak_mb:.0f} MB", met=report.rss_peak_mb <= report.memory_mb)
    table.add_row("its peak", peak, f"≤ {report.memory_mb} MB")
    table.add_row("from", f"{report.rss_start_mb:.0f} MB", "")
    table.add_row("to", f"{report.rss_end_mb:.0f} MB", "")
    table.add_row("loads of a model", f"{report.loads:,}", "")
    table.add_row("p50", f"{report.p50_ms:.3f} ms", "")
    table.add_row("p99", f"{report.p99_ms:.3f} ms", "")
    return table


def _judged(text: str, *, met: bool) -> str:
    return f"[{'green' if met else 'red'}]{text}[/]"
