r"""Processes that train together: on this machine, or wherever `torchrun` started them.

    lampyris build recipe.toml --workers 2
    torchrun --nnodes 2 --nproc-per-node 1 --rdzv-backend c10d --rdzv-endpoint host:29500 \
        --no-python lampyris build recipe.toml

Process 0 runs the whole build. The others wait until it begins a training, take part in it, and wait again:
nothing but training knows of them. They are told the learner and the samples; arrays in files by their paths,
which all must be able to read.
"""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from time import monotonic, sleep
from typing import Final, cast

import torch
from torch import distributed, nn
from torch.distributed.distributed_c10d import Store
from torch.distributed.rendezvous import rendezvous

from lampyris_build.data.dataset import Samples
from lampyris_build.errors import InvalidRecipe, WorkerLost
from lampyris_build.recipe.training import Training
from lampyris_build.training.checkpoint import State
from lampyris_build.training.handing import from_bytes, to_bytes

_HERE: Final = "127.0.0.1"
_SILENCE: Final = timedelta(minutes=10)  # within a training, a process that is silent for longer is lost
_PATIENCE: Final = timedelta(days=30)  # how long process 0 may do without a training
_FAREWELL_S: Final = 10.0


@dataclass(frozen=True, kw_only=True)
class Job:
    """A training, as the other processes are told of it."""

    learner: nn.Module
    train: Samples
    validation: Samples
    settings: Training
    seed: int
    saved: State | None


class _Crew:
    """The other processes, as process 0 sees them; they are started when they are first needed."""

    def __init__(self, count: int) -> None:
        self._count = int(os.environ.get("WORLD_SIZE", count))  # as torchrun says
        self._store: Store | None = None
        self._processes: list[subprocess.Popen[bytes]] = []
        self._threads = torch.get_num_threads()

    def begin(self, job: Job) -> None:
        batch = min(job.settings.batch_size, len(job.train))
        if batch < self._count:
            raise InvalidRecipe(reason=f"a batch of {batch} cannot be divided among {self._count} workers.")
        # As torchrun says, too: on how many machines the processes are.
        here = int(os.environ.get("LOCAL_WORLD_SIZE", self._count))
        told = to_bytes(job, one_disk=here == self._count)
        if self._store is None:
            self._store = self._started()
        self._store.set(_nth(self._store.add("trainings", 1)), "begins")
        distributed.broadcast_object_list([told], src=0)

    def end(self) -> None:
        if (
            self._store is None and "WORLD_SIZE" in os.environ
        ):  # the others wait for a training that never came
            self._store = join()
        if self._store is not None:
            with suppress(RuntimeError):  # whoever is gone need not be told
                self._store.set(_nth(self._store.add("trainings", 1)), "end")
        give_up_s = monotonic() + _FAREWELL_S
        for process in self._processes:
            with suppress(subprocess.TimeoutExpired):
                process.wait(max(0.0, give_up_s - monotonic()))
        self.kill()

    def kill(self) -> None:
        for process in self._processes:
            process.kill()
            process.wait()
        if distributed.is_initialized():
            distributed.destroy_process_group()
        torch.set_num_threads(self._threads)

    def lost(self) -> str | None:
        """Say which process is gone, if one is."""
        for rank, process in enumerate(self._processes, start=1):
            if process.poll() is not None:
                return f"worker {rank} ended with {_ending(process.returncode)}"
        return None

    def _started(self) -> Store:
        if "WORLD_SIZE" in os.environ:
            return join()
        store = distributed.TCPStore(  # type: ignore[attr-defined]  # torch does not say that it is public
            _HERE, 0, is_master=True, wait_for_workers=False, timeout=_SILENCE
        )
        threads = max(1, self._threads // self._count)
        torch.set_num_threads(threads)
        for rank in range(1, self._count):
            environment = {
                "MASTER_ADDR": _HERE,
                "MASTER_PORT": str(store.port),
                "WORLD_SIZE": str(self._count),
                "RANK": str(rank),
                "OMP_NUM_THREADS": str(threads),
                "PYTHONPATH": os.pathsep.join(sys.path),  # a recipe may name a module of the user's
            }
            command = [sys.executable, "-m", "lampyris_build.training.worker"]
            self._processes.append(
                subprocess.Popen(command, env=os.environ | environment, stdin=subprocess.DEVNULL)  # noqa: S603 - ourselves
            )
        for rank in range(1, self._count):
            while not store.check([_ready(rank)]):
                self.check()
                sleep(0.01)
        distributed.init_process_group("gloo", store=store, rank=0, world_size=self._count, timeout=_SILENCE)
        return cast("Store", store)

    def check(self) -> None:
        lost = self.lost()
        if lost is not None:
            raise WorkerLost(reason=lost)


_crew: _Crew | None = None


@contextmanager
def workers(count: int) -> Iterator[None]:
    """Let so many processes share the trainings within: of this machine, or those that torchrun started.

    Raises: WorkerLost, from a training, when one of them is gone.
    """
    global _crew  # noqa: PLW0603 - torch's process group is one for the whole process, too
    if count == 1 and "WORLD_SIZE" not in os.environ:
        yield
        return
    _crew = _Crew(count)
    try:
        yield
        _crew.end()
    finally:
        _crew.kill()
        _crew = None


@contextmanager
def shared(job: Job) -> Iterator[None]:
    """Let all processes do what process 0 does within: train."""
    if _crew is None:
        yield
        return
    try:
        _crew.begin(job)
        yield
    except RuntimeError as error:
        # A process that ends closes its connections before it is known to have ended.
        sleep(1)
        _crew.check()
        if "gloo" in str(error) or isinstance(error, distributed.DistError):
            raise WorkerLost(reason=str(error).partition("\n")[0]) from error
        raise


def join() -> Store:
    """Become the process of the group that the environment says, as torchrun sets it."""
    store: Store
    store, rank, size = next(iter(rendezvous("env://", timeout=_SILENCE)))
    store.set(_ready(rank), "")
    distributed.init_process_group("gloo", store=store, rank=rank, world_size=size, timeout=_SILENCE)
    return store


def jobs(store: Store) -> Iterator[Job]:
    """Wait for the trainings of process 0, one after the other, until it has no more."""
    number = 1
    while True:
        store.wait([_nth(number)], _PATIENCE)
        if store.get(_nth(number)) == b"end":
            return
        told: list[bytes | None] = [None]
        distributed.broadcast_object_list(told, src=0)
        assert told[0] is not None
        yield from_bytes(told[0])
        number += 1


def _nth(number: int) -> str:
    return f"training/{number}"


def _ready(rank: int) -> str:
    return f"ready/{rank}"


def _ending(code: int) -> str:
    return signal.Signals(-code).name if code < 0 else f"code {code}"
