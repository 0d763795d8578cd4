"""What a build shows while it runs: one stage after the other, a line for each that is done."""

from collections.abc import Iterator
from contextlib import contextmanager
from time import perf_counter
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn


class Stage:
    """The stage that runs now: how far it is, and in the end what came out."""

    def __init__(self, progress: Progress, task: TaskID) -> None:
        self._progress = progress
        self._task = task
        self.outcome = ""

    def expect(self, steps: int, done: int = 0) -> None:
        """Show a bar that is full after `steps` calls of `advance`, `done` of which came earlier."""
        self._progress.update(self._task, total=steps, completed=done)

    def advance(self, detail: str) -> None:
        self._progress.update(self._task, advance=1, detail=detail)

    def note(self, message: str) -> None:
        """Print a line that stays."""
        self._progress.console.print(escape(message), style="yellow", highlight=False)


class Stages:
    """Runs stages inside a `with`, and keeps the time that each took."""

    def __init__(self, console: Console) -> None:
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
        stage = Stage(self._progress, task)
        try:
            yield stage
        finally:
            self._progress.remove_task(task)
        elapsed_s = perf_counter() - started
        self.elapsed_s[name] = elapsed_s
        self._progress.console.print(
            f"[bold]{name:<12}[/] {escape(stage.outcome)} [dim]{elapsed_s:.1f} s[/]", highlight=False
        )
