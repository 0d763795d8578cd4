"""A process of the local cloud: its output line by line, its memory, its end."""

import asyncio
import contextlib
import os
import signal
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Self

import psutil

from lampyris_local.cloud.guard import Guard

MEMORY_SAMPLE_S = 0.05
READ_BYTES = 65_536


class Process:
    """A process that leads its own session, so that all it starts dies with it.

    What it starts in sessions of their own, as torchrun does, dies with it too if it was found before.
    """

    def __init__(
        self, process: asyncio.subprocess.Process, output: int, guard: Guard, on_text: Callable[[str], None]
    ) -> None:
        self._process = process
        self._output = output
        self._guard = guard
        self._on_text = on_text
        self._partial = b""
        self.max_rss_bytes = 0
        self.out_of_memory = False
        self._groups = {process.pid}
        guard.watch(process.pid)
        self.end = asyncio.create_task(self._await_end())
        os.set_blocking(output, False)
        asyncio.get_running_loop().add_reader(output, self.read_output)

    @classmethod
    async def spawn(
        cls,
        command: Sequence[str | Path],
        *,
        folder: Path,
        variables: Mapping[str, str],
        guard: Guard,
        on_text: Callable[[str], None],
    ) -> Self:
        """Start the process in a folder. `on_text` gets each line that it writes."""
        output, writing_end = os.pipe()
        try:
            process = await asyncio.create_subprocess_exec(
                *command,
                cwd=folder,
                env=variables,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=writing_end,
                stderr=writing_end,
                start_new_session=True,
            )
        except BaseException:
            os.close(output)
            raise
        finally:
            os.close(writing_end)
        return cls(process, output, guard, on_text)

    def read_output(self) -> None:
        """Pass on what the process has written by now."""
        while True:
            try:
                chunk = os.read(self._output, READ_BYTES)
            except BlockingIOError:
                return
            if not chunk:
                asyncio.get_running_loop().remove_reader(self._output)
                return
            *lines, self._partial = (self._partial + chunk).split(b"\n")
            for line in lines:
                self._pass_on(line)

    def flush_output(self) -> None:
        """Pass on a last line without its end."""
        self.read_output()
        if self._partial:
            self._pass_on(self._partial)
            self._partial = b""

    def _pass_on(self, line: bytes) -> None:
        # The runtime client separates the lines of a traceback by carriage returns.
        self._on_text(line.decode(errors="replace").replace("\r", "\n"))

    def sample_memory(self) -> int:
        """Return the resident memory in bytes (0 once the process has ended); remember the most there was."""
        try:
            rss_bytes = psutil.Process(self._process.pid).memory_info().rss
        except psutil.Error:
            return 0
        self.max_rss_bytes = max(self.max_rss_bytes, rss_bytes)
        return rss_bytes

    async def limit_memory(self, limit_bytes: int) -> None:
        """Watch the memory until cancelled; kill the process when it takes more than it may."""
        while True:
            if self.sample_memory() > limit_bytes:
                self.out_of_memory = True
                self.kill()
            await asyncio.sleep(MEMORY_SAMPLE_S)

    def terminate(self) -> None:
        """Ask the process, and all that it started, to end."""
        if not self.end.done():
            self.find_groups()
            self._signal_groups(signal.SIGTERM)

    def kill(self) -> None:
        """Kill the process with all that it started."""
        if not self.end.done():
            self.find_groups()
            self._signal_groups(signal.SIGKILL)

    def find_groups(self) -> None:
        """Find what the process started in groups of their own."""
        try:
            leader = psutil.Process(self._process.pid)
            children = leader.children(recursive=True)
            has_ended = leader.status() == psutil.STATUS_ZOMBIE
        except psutil.Error:
            has_ended = True
        if has_ended:
            return  # what it started is nobody's child now; what was found before is what there is to end
        groups = {self._process.pid, *_groups(children)}
        for group in groups - self._groups:
            self._guard.watch(group)
        for group in self._groups - groups:
            self._guard.forget(group)
        self._groups = groups

    async def close(self) -> None:
        """Kill the process, and let go of its output."""
        self.kill()
        await self.end
        asyncio.get_running_loop().remove_reader(self._output)
        os.close(self._output)

    async def _await_end(self) -> str:
        """Wait for the end, and end what the process started; return how the end came, in Lambda's words."""
        code = await self._process.wait()
        self._signal_groups(signal.SIGKILL)
        for group in self._groups:
            self._guard.forget(group)
        return (
            f"exit status {code}"
            if code >= 0
            else f"signal: {(signal.strsignal(-code) or str(-code)).lower()}"
        )

    def _signal_groups(self, number: signal.Signals) -> None:
        for group in self._groups:
            # A group without processes is not there, and one of zombies is not ours, as macOS has it.
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(group, number)


def _groups(processes: Iterable[psutil.Process]) -> Iterator[int]:
    for process in processes:
        with contextlib.suppress(ProcessLookupError):
            yield os.getpgid(process.pid)
