"""Start what is measured, on the cores that it may use; a sentence says why, where one fails."""

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from socket import create_connection, socket
from time import perf_counter, sleep
from typing import IO, Any

HERE = Path(__file__).resolve().parent
_TOLD_BYTES = 1000


def script(name: str, *arguments: str) -> list[str]:
    """Write the command that runs a script of this folder with the project's own Python."""
    return [sys.executable, str(HERE / name), *arguments]


class Failed(Exception):
    """A benchmark cannot go on; its text is for the person who started it."""


class Child:
    """A process under measurement. It answers by lines on a pipe of its own: its output is its log."""

    def __init__(
        self, name: str, process: subprocess.Popen[bytes], answers: IO[bytes], log: IO[bytes]
    ) -> None:
        self.name = name
        self._process = process
        self._answers = answers
        self._log = log

    def ask(self, question: object) -> None:
        """Write a line to its standard input."""
        assert self._process.stdin is not None  # every child has one
        try:
            self._process.stdin.write(f"{question}\n".encode())
            self._process.stdin.flush()
        except BrokenPipeError:
            raise self.failed("ended too early") from None

    def answer(self) -> Any:
        """Wait for its next line, which is JSON. Raises: Failed if it ends without one."""
        line = self._answers.readline()
        if not line:
            raise self.failed("ended too early")
        return json.loads(line)

    def check_alive(self) -> None:
        """Raises: Failed if it has ended."""
        if self._process.poll() is not None:
            raise self.failed("ended too early")

    def failed(self, how: str) -> Failed:
        """Say how it failed, with the end of its log."""
        self._log.seek(0)
        log = self._log.read().decode(errors="replace").strip()
        return Failed(f"{self.name} {how}." + (f" It said: {log[-_TOLD_BYTES:]}" if log else ""))

    def end(self) -> None:
        """Wait for its own end. Raises: Failed if it ends badly."""
        if self._process.wait() != 0:
            raise self.failed(f"failed with exit code {self._process.returncode}")


@contextmanager
def running(
    command: Sequence[str],
    variables: Mapping[str, str],
    cores: set[int],
    *,
    folder: Path | None = None,
) -> Iterator[Child]:
    """Run a process on some cores, with its descendants, for no longer than the context lasts."""
    read, write = os.pipe()
    with tempfile.TemporaryFile() as log, os.fdopen(read, "rb") as answers:
        try:
            with _pinned(cores):
                process = subprocess.Popen(
                    command,
                    env={**variables, "BENCH_ANSWERS": str(write)},
                    pass_fds=[write],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.DEVNULL,
                    stderr=log,
                    cwd=folder,
                    start_new_session=True,
                )
        except OSError as error:
            raise Failed(f"{command[0]} cannot be started: {error.strerror}.") from error
        finally:
            os.close(write)
        try:
            yield Child(_name(command), process, answers, log)
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.communicate()


def _name(command: Sequence[str]) -> str:
    """Name a command by its script, or by the program itself."""
    return next((Path(part).name for part in command if part.endswith(".py")), Path(command[0]).name)


@contextmanager
def _pinned(cores: set[int]) -> Iterator[None]:
    """Let what is started here, and it alone, run on these cores."""
    free = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, free)


def first_answer_s(command: Sequence[str], variables: Mapping[str, str], cores: set[int]) -> float:
    """Start a process and wait for its first answer, not for its end."""
    started_s = perf_counter()
    with running(command, variables, cores) as child:
        child.answer()
        duration_s = perf_counter() - started_s
        child.end()
    return duration_s


def free_port() -> int:
    with socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    return port


def await_port(child: Child, port: int, *, every_s: float, limit_s: float) -> None:
    """Wait until somebody listens. Raises: Failed if the child ends, or takes too long."""
    until_s = perf_counter() + limit_s
    while perf_counter() < until_s:
        try:
            create_connection(("127.0.0.1", port)).close()
        except ConnectionRefusedError:
            child.check_alive()
            sleep(every_s)
        else:
            return
    raise child.failed(f"did not listen within {limit_s:.0f} s")
