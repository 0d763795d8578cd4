"""How jobs look: in a list, one by one, and what to type next about one."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from rich.text import Text

from lampyris.control.data import DataPlace
from lampyris.control.job_purging import Purged
from lampyris.control.job_states import JobDetails, JobProgress, JobState, Parts
from lampyris.control.jobs import Redriven
from lampyris.control.pages import Page
from lampyris_local.cli.output import (
    answers,
    count,
    date,
    figure,
    hint,
    new_table,
    page_hint,
    program,
    remarks,
)

STYLES = {"succeeded": "good", "failed": "bad", "running": "name", "cancelled": "quiet"}
_MINUTE_S, _HOUR_S = 60, 3600
# Below that many columns, a list tells less of each job rather than fold the names that are copied from it.
_WIDE = 120
# What was asked for is at fault, and is still when the job is begun again.
_ASKED_WRONGLY = frozenset({"invalid-recipe", "invalid-input", "invalid-tensor", "malformed-request"})


def show_list(page: Page[JobState]) -> None:
    if not page.items:
        remarks().print("There are none." if page.next is None else "There are none yet among these.")
    else:
        more = ("progress", "attempts", "cost", "created") if answers().width >= _WIDE else ()
        table = new_table("job", "kind", "model", "state", *more, numbers=("attempts", "cost"))
        for column in (table.columns[0], table.columns[1], table.columns[3]):
            column.no_wrap = True
        for job in page.items:
            told = (
                "" if job.state == "succeeded" else progress_told(job.progress),
                str(job.attempts),
                dollars(job.cost_usd),
                date(job.created_at),
            )
            table.add_row(
                Text(job.job, "name"),
                job.kind,
                job.model or "-",
                Text(job.state, STYLES.get(job.state, "")),
                *told[: len(more)],
            )
        answers().print(table)
    page_hint(page.next)


def show_state(job: JobState) -> None:
    """Say where a job is, on one line."""
    answers().print(sentence(job), soft_wrap=True)


def show_details(job: JobDetails, *, with_log: bool = True) -> None:
    """Show all that is told of a job."""
    console = answers()
    console.print(sentence(job), soft_wrap=True)
    rows: dict[str, Any] = {
        "by": job.by,
        "created": date(job.created_at),
        "started": None if job.started_at is None else date(job.started_at),
        "ended": None if job.ended_at is None else date(job.ended_at),
        "on": "machines of AWS Batch" if job.compute == "batch" else None,
        "part of": job.part_of,
        "attempts": job.attempts,
        "cost": dollars(job.cost_usd),
        "parts": None
        if job.parts is None or not job.parts.jobs
        else f"{parts_told(job.parts)}: {job.job}-0 to {job.job}-{len(job.parts.jobs) - 1}",
    }
    if job.shards is not None:
        failed = f", {count(job.shards.failed_rows, 'row')} failed" if job.shards.failed_rows else ""
        rows["shards"] = (
            f"{job.shards.done:,} of {job.shards.count:,} done: {count(job.shards.rows, 'row')}{failed}"
        )
    rows |= {
        name: _figure(name, value)
        for name, value in job.summary.items()
        if not isinstance(value, dict | list)
    }
    table = new_table("", "")
    table.show_header = False
    for name, value in rows.items():
        if value is not None:
            table.add_row(Text(name.replace("_", " "), "quiet"), Text(str(value)))
    console.print(table)
    if job.log and with_log:
        console.print(Text("\nlog", "bold"))
        for line in job.log:
            console.print(Text(line), soft_wrap=True)


def next_steps(job: JobState, where: str) -> None:
    """Say what to type next about a job."""
    follow = f"{program()} jobs {{}} {job.job}{where}"
    if job.state in ("queued", "running"):
        hint("To watch it", follow.format("follow"))
    elif job.state == "succeeded":
        hint("To fetch what it made", f"{follow.format('results')} --out DIR")
        if isinstance(job, JobDetails) and "upload" in job.summary:
            hint("To see the model, as soon as it is judged", f"{program()} models {job.model}{where}")
            hint("To see why, if it was refused", f"{program()} rejected {job.model}{where}")
    elif job.failure is not None and job.failure.code in _ASKED_WRONGLY:
        hint("To ask for it anew, put right", f"{program()} jobs submit {job.kind} --help")
    else:
        hint("To begin it again, from where it was", follow.format("retry"))


def show_redriven(redriven: Redriven) -> None:
    dropped = f" {count(redriven.dropped, 'other')} had succeeded, or were gone." if redriven.dropped else ""
    answers().print(f"Began {count(len(redriven.jobs), 'failed job')} again.{dropped}")
    for job in redriven.jobs:
        answers().print(Text(job, "name"))
    if not redriven.done:
        remarks().print("There may be more: give the same command again.")


def show_purged(purged: Purged) -> None:
    if purged.done:
        answers().print(f"Removed {count(purged.jobs, 'job')} and {count(purged.objects, 'file')}.")
    else:
        answers().print(
            f"Removed {count(purged.objects, 'file')}; the time was over. Give it again for the rest."
        )


def sentence(job: JobState) -> Text:
    """Say where a job is: which, of what, in which state, how far, why not."""
    about = "" if job.model is None else f" of {job.model}"
    failure = job.failure
    told = "" if job.state == "succeeded" else progress_told(job.progress)
    return Text.assemble(
        "Job ",
        (job.job, "name"),
        f" ({job.kind}{about}) ",
        "has " if job.state in ("succeeded", "failed") else "is ",
        (job.state, STYLES.get(job.state, "")),
        f": {told}" if told else "",
        "" if failure is None else f": {failure.detail}",
        ("" if failure is None else f" [{failure.code}]", "quiet"),
    )


def progress_told(progress: JobProgress, *, with_time: bool = True) -> str:
    """Write how far a job is: training, 3 of 15 epochs, loss 0.412, about 2 min left."""
    told = [progress.stage] if progress.stage else []
    if progress.steps:
        told.append(f"{progress.step:,} of {progress.steps:,} {progress.unit}")
    if progress.metric is not None:
        told.append(f"{progress.metric.name} {progress.metric.value:.4g}")
    if with_time and progress.ends_at is not None:
        told.append(f"about {duration((progress.ends_at - datetime.now(UTC)).total_seconds())} left")
    return ", ".join(told)


def parts_told(parts: Parts) -> str:
    by_state = {
        "succeeded": parts.succeeded,
        "running": parts.running,
        "queued": parts.queued,
        "failed": parts.failed,
        "cancelled": parts.cancelled,
    }
    return ", ".join(f"{number:,} {state}" for state, number in by_state.items() if number)


def dollars(cost_usd: float) -> str:
    """Write what was paid: $1.20, $0.0031, $0.00001."""
    return f"${cost_usd:.2f}" if cost_usd >= 1 or cost_usd == 0 else f"${Decimal(f'{cost_usd:.2g}'):f}"


def duration(seconds: float) -> str:
    """Write a time to wait for: 8 s, 3 min, 2.5 h."""
    if seconds < _MINUTE_S:
        return f"{max(seconds, 0):.0f} s"
    if seconds < _HOUR_S:
        return f"{seconds / _MINUTE_S:.0f} min"
    return f"{seconds / _HOUR_S:.1f} h"


def _figure(name: str, value: Any) -> str:
    is_figure = isinstance(value, float) or (isinstance(value, int) and name.endswith("_bytes"))
    return figure(name, value) if is_figure else str(value)


def show_place(place: DataPlace) -> None:
    name = place.key.rpartition("/")[2]
    console = answers()
    console.print(Text.assemble("Put it there until ", date(place.expires_at), ":"))
    console.print(Text(f"  curl -T {name} '{place.url}'", "name"), soft_wrap=True)
    console.print(Text.assemble("Jobs call it ", (place.key, "name"), "."), soft_wrap=True)
