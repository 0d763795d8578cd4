"""How far files are on their way to the bucket, on a terminal."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.progress import BarColumn, DownloadColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from lampyris_local.cli.output import remarks


@contextmanager
def sending(what: str, *, size_bytes: int) -> Iterator[Callable[[int], None]]:
    """Show a bar while files are sent; yields what is to be called with the size of each that has arrived."""
    console = remarks()
    with Progress(
        SpinnerColumn(style="name"),
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        DownloadColumn(),
        TimeElapsedColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    ) as progress:
        task = progress.add_task(what, total=size_bytes)
        yield lambda arrived_bytes: progress.advance(task, arrived_bytes)
