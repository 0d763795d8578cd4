"""What a build shows while it runs: one stage after the other, a line for each that is done."""

from collections.abc import Iterator
from contextlib import contextmanager
from time import perf_counter
from types import TracebackType
from typing import Protocol, Self

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn


class TimeIsUp(Exception):
    """Who watches a build stops it here, so that it goes on elsewhere. A training keeps what it has done."""


class Watch(Protocol):
    """Follows a build beside its console. What a method raises stops the build there."""

    def begun(self, stage: str) -> None: ...

    def advanced(self, step: int, steps: int, metric: tuple[str, float] | None) -> None:
        """Learn that a stage is at `step` of `steps`, and its latest figure by name. Raises: TimeIsUp."""
        ...

    def noted(self, line: str) -> None: ...

    def part_done(self) -> None:
        """Learn that a part of a stage is done, and need not be done again. Raises: TimeIsUp."""
        ...

    def ended(self, stage: str, outcome: str) -> None: ...


class Stage:
    """The stage that runs now: how far it is, and in the end what came out.

    `metric` is the latest figure that it has, by its name.
    """

    def __init__(self, progress: Progress, task: TaskID, watch: Watch | None = None) -> None:
        self._progress = progress
        self._task = task
        self._watch = watch
        self._step = self._steps = 0
        self.outcome = ""
        self.metric: tuple[str, float] | None = None

    def expect(self, steps: int, done: int = 0) -> None:
        """Show a bar that is full after `steps` calls of `advance`, `done` of which came earlier."""
        self._progress.update(self._task, total=steps, completed=done)
        self._step, self._steps = done, steps

    def advance(self, detail: str) -> None:
        """Take a step. Raises: TimeIsUp, after it; whoever can keep what is done, does."""
        self._progress.update(self._task, advance=1, detail=detail)
        self._step += 1
        if self._watch is not None:
            self._watch.advanced(self._step, self._steps, self.metric)

    def part_done(self) -> None:
        """Tell that a part of this stage need not be done again. Raises: TimeIsUp."""
        if self._watch is not None:
            self._watch.part_done()

    def note(self, message: str) -> None:
        """Print a line that stays."""
        self._progress.console.print(escape(message), style="yellow", highlight=False)
        if self._watch is not None:
            self._watch.noted(message)


class Stages:
    """Runs stages inside a `with`, and keeps the time that each took."""

    def __init__(self, console: Console, watch: Watch | None = None) -> None:
        self._watch = watch
        self.elapsed_s: dict[str, float] = {}
        self._progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.description:<12}"),
            BarColumn(bar_width=30),
            TextColumn("{task.fields[detail]}"),
            TimeElapsedColumn(),
            console=console,
            transient=True,
            refresh_per_second=4,  # at 10, drawing took 1.4 % of a core from the training
        )

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._progress.stop()

    @contextmanager
    def stage(self, name: str) -> Iterator[Stage]:
        """Time what runs inside; when it ends well, print its outcome."""
        started = perf_counter()
        task = self._progress.add_task(name, total=None, detail="")
        stage = Stage(self._progress, task, self._watch)
        if self._watch is not None:
            self._watch.begun(name)
        try:
            yield stage
        finally:
            self._progress.remove_task(task)
        elapsed_s = perf_counter() - started
        self.elapsed_s[name] = elapsed_s
        self._progress.console.print(
            f"[bold]{name:<12}[/] {escape(stage.outcome)} [dim]{elapsed_s:.1f} s[/]", highlight=False
        )
        if self._watch is not None:
            self._watch.ended(name, stage.outcome)
