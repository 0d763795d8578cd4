"""`lampyris jobs follow`: a live bar on a terminal, lines in a pipe, until a job has ended."""

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Protocol, Self

import typer
from rich.console import Console, RenderableType
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.text import Text

from lampyris.control.job_states import JobDetails
from lampyris.control.jobs import OneJob
from lampyris_local.api import Api
from lampyris_local.cli.jobs import (
    dollars,
    next_steps,
    parts_told,
    progress_told,
    show_details,
)
from lampyris_local.cli.output import answers, hint, print_json, program, remarks
from lampyris_local.cli.session import Session
from lampyris_local.client import NoAnswer, Refused

# What the shell says of a command that Ctrl-C ended.
INTERRUPTED = 130
_ENDED = frozenset({"succeeded", "failed", "cancelled"})
SERVER_ERROR = 500
# A job may take hours, and a laptop's network a break.
_SILENCE_S = 300.0
_OFTEN_S, _SELDOM_S, _OFTEN_FOR_S = 1.0, 3.0, 120.0


class Watcher(Protocol):
    """Shows how far a job is, each time that it is asked about."""

    def see(self, job: JobDetails) -> None: ...

    def miss(self, reason: str) -> None: ...


def follow(session: Session, job: str) -> None:
    """Watch a job until it has ended. Ctrl-C ends the watching, and not the job.

    Raises: typer.Exit with 1 unless it succeeded, with INTERRUPTED after Ctrl-C; Refused, NoAnswer.
    """
    try:
        with Api(session.deployment) as api, _watcher(as_json=session.as_json) as watcher:
            ended = wait(lambda: api.ask("jobs show", OneJob(job=job)), watcher)
    except KeyboardInterrupt:
        remarks().print("\nThe job goes on; only the watching has ended.")
        hint("To watch it again", f"{program()} jobs follow {job}{session.where}")
        hint("To end the job", f"{program()} jobs cancel {job}{session.where}")
        raise typer.Exit(INTERRUPTED) from None
    if session.as_json:
        print_json(ended)
    else:
        show_details(ended, with_log=False)  # which was shown as it came
        next_steps(ended, session.where)
    if ended.state != "succeeded":
        raise typer.Exit(1)


def wait(
    show: Callable[[], JobDetails],
    watcher: Watcher,
    *,
    sleep: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> JobDetails:
    """Ask about a job until it has ended; an API that is away for a while is asked again.

    Raises: Refused, NoAnswer.
    """
    started_s = heard_s = clock()
    while True:
        try:
            job = show()
        except (NoAnswer, Refused) as error:
            is_refusal = isinstance(error, Refused) and error.status < SERVER_ERROR
            if is_refusal or clock() - heard_s > _SILENCE_S:
                raise
            watcher.miss(str(error))
        else:
            heard_s = clock()
            watcher.see(job)
            if job.state in _ENDED:
                return job
        sleep(_OFTEN_S if clock() - started_s < _OFTEN_FOR_S else _SELDOM_S)


@contextmanager
def _watcher(*, as_json: bool) -> Iterator[Watcher]:
    console = remarks()
    if not console.is_terminal:
        yield Lines(console if as_json else answers())
        return
    with Bar(console) as bar:
        yield bar


class _Told(Progress):
    """A bar, and below it what is told of the job, which a narrow terminal has no room for beside it."""

    told = ""

    def get_renderables(self) -> Iterable[RenderableType]:
        yield from super().get_renderables()
        if self.told:
            yield Text(self.told)


class Bar:
    """A bar on a terminal, and the job's log above it; a context manager."""

    def __init__(self, console: Console) -> None:
        self._progress = _Told(
            SpinnerColumn(style="name"),
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            TextColumn("{task.fields[cost]}", style="quiet"),
            TimeElapsedColumn(),
            console=console,
            transient=True,
        )
        self._task: TaskID = self._progress.add_task("asking", total=None, cost="")
        self._log: tuple[str, ...] = ()

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._progress.stop()

    def see(self, job: JobDetails) -> None:
        for line in new_lines(self._log, job.log):
            self._progress.console.print(line, style="quiet", markup=False)
        self._log = job.log
        self._progress.told = _told(job)
        self._progress.update(
            self._task,
            description=job.state if job.state != "running" else job.kind,
            total=job.progress.steps or None,
            completed=job.progress.step,
            cost=dollars(job.cost_usd),
        )

    def miss(self, reason: str) -> None:
        self._progress.told = f"no answer, trying again: {reason}"


class Lines:
    """A line for each change, without the time that is left, which changes always."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._said = ""
        self._log: tuple[str, ...] = ()

    def see(self, job: JobDetails) -> None:
        for line in new_lines(self._log, job.log):
            self._console.print(line, soft_wrap=True)
        self._log = job.log
        self._say(": ".join(part for part in (job.state, _told(job, with_time=False)) if part))

    def miss(self, reason: str) -> None:
        self._say(f"no answer, trying again: {reason}")

    def _say(self, what: str) -> None:
        if what != self._said:
            self._said = what
            self._console.print(what, soft_wrap=True)


def new_lines(before: tuple[str, ...], after: tuple[str, ...]) -> tuple[str, ...]:
    """Return what the end of a log has that it did not have before; both may have lost older lines."""
    for kept in range(min(len(before), len(after)), 0, -1):
        if before[-kept:] == after[:kept]:
            return after[kept:]
    return after


def _told(job: JobDetails, *, with_time: bool = True) -> str:
    told = [progress_told(job.progress, with_time=with_time)]
    if job.parts is not None:
        told.append(f"parts: {parts_told(job.parts)}")
    return "; ".join(part for part in told if part)
