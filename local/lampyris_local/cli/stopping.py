"""How commands end that are asked to."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

import typer


@contextmanager
def stops_on_sigterm() -> Iterator[None]:
    """Let SIGTERM end a command as Ctrl-C does: on the way out, all that was started is stopped."""
    before = signal.signal(signal.SIGTERM, _leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _leave(number: int, _frame: FrameType | None) -> None:
    raise typer.Exit(128 + number)
