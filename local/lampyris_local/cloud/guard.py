"""Cleans up after a local cloud that could not do so itself.

The execution environments are processes, each the leader of its own group. A small process, started first,
is told of each of them through a pipe. When the local cloud ends, however it ends, the pipe closes, and the
guard kills what is left and removes the temporary folder.
"""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Self


class Guard:
    """The local cloud's end of the pipe, as a context manager."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __enter__(self) -> Self:
        reading_end, self._pipe = os.pipe()
        self._process = subprocess.Popen(  # noqa: S603 - our own interpreter and this file
            [sys.executable, "-I", "-S", __file__, str(self._folder)],
            stdin=reading_end,
            start_new_session=True,  # a Ctrl-C meant for the local cloud must not end its guard
        )
        os.close(reading_end)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._pipe)
        self._process.wait()

    def watch(self, group: int) -> None:
        os.write(self._pipe, f"+{group}\n".encode())

    def forget(self, group: int) -> None:
        os.write(self._pipe, f"-{group}\n".encode())


def main(folder: str) -> None:
    groups: set[int] = set()
    for line in sys.stdin:
        group = int(line[1:])
        if line.startswith("+"):
            groups.add(group)
        else:
            groups.discard(group)
    for group in groups:
        try:
            os.killpg(group, signal.SIGKILL)
        except ProcessLookupError:
            continue
    shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main(sys.argv[1])
