"""A deployment in memory whose workers build in earnest; time is the queues' own."""

from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from math import inf
from pathlib import Path
from threading import current_thread, main_thread
from typing import Any

import pytest

from lampyris.adapters.memory_queues import MemoryQueues
from lampyris.adapters.memory_store import MemoryStore
from lampyris.adapters.memory_table import MemoryTable
from lampyris.jobs.attending import Attending
from lampyris.jobs.handing_in import PUBLISH, hand_in
from lampyris.jobs.holding import Hold, take
from lampyris.jobs.job import Job, Kind
from lampyris.jobs.jobs import Asked, Jobs
from lampyris.jobs.slots import Limits, Slots
from lampyris_build.jobs.following import Following
from lampyris_build.jobs.running import run_job
from lampyris_build.jobs.worker import Worker

BUCKET = "the-bucket"


class Killed(BaseException):
    """A worker dies here, without a word."""


class Fragile:
    """Stands before a service; the worker is killed before or after the call that `fate` counts to."""

    def __init__(self, service: Any, fate: "Fate") -> None:
        self._service = service
        self._fate = fate

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._service, name)
        return self._fate.through(found) if callable(found) else found


class Fate:
    """Counts calls of services; the one with number `fatal`, from 1, is a worker's last."""

    def __init__(self) -> None:
        self.fatal = 0
        self.after = False
        self.calls = 0

    def through(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def called(*arguments: Any, **named: Any) -> Any:
            self.calls += 1
            if self.calls != self.fatal:
                return call(*arguments, **named)
            if self.after:
                call(*arguments, **named)
            raise Killed

        return called


class World:
    """`remaining` makes a worker's `remaining_s`, by the worker's number, which counts from 1.

    `instead` says what is done with a job of some kind, instead of what it asks.
    """

    def __init__(self, scratch: Path) -> None:
        self.queues = MemoryQueues()
        self.store = MemoryStore()
        self.jobs = Jobs(MemoryTable(), self.queues, now=self._now)
        self.scratch = scratch
        self.remaining: Callable[[int], Callable[[], float]] = lambda _: lambda: inf
        self.following: type[Following] = Following
        self.killed = Killed()
        self.fate = Fate()
        self.instead: dict[str, Callable[[Hold], None]] = {}
        self.workers = 0
        self.attending = Attending(
            self.jobs,
            Slots(self.jobs, Limits()),
            work=lambda _: "train",
            duties={
                "notify": lambda _: None,
                "bury": lambda _: None,
                PUBLISH: lambda job: hand_in(job, self.store),
            },
            draw=lambda: 0.5,
        )

    def _now(self) -> datetime:
        return datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=self.queues.time_s)

    def submit(self, kind: Kind, spec: dict[str, Any], key: str = "k") -> Job:
        return self.jobs.submit(Asked(kind=kind, by="ana", key=key, spec=spec))

    def step(self) -> bool:
        message = self.queues.take()
        if message is None:
            return False
        if message.queue == "attend":
            self.attending.attend(message.wake_up)
        elif message.queue == "train":
            self.workers += 1
            with suppress(Killed):
                self._work(message.wake_up.job)
        return True

    def _work(self, job: str) -> None:
        jobs = Jobs(Fragile(self.jobs.table, self.fate), Fragile(self.queues, self.fate), now=self._now)
        hold = take(jobs, job, f"worker {self.workers}", clock=lambda: self.queues.time_s)
        if hold is None:
            return
        if hold.job.kind in self.instead:
            self.instead[hold.job.kind](hold)
            return
        worker = Worker(
            jobs=jobs,
            store=Fragile(self.store, self.fate),
            bucket=BUCKET,
            scratch=self.scratch,
            remaining_s=self.remaining(self.workers),
        )
        run_job(hold, worker, following=self.following)

    def run(self, job: Job, most: int = 2000) -> Job:
        """Deliver messages until none is left; return what became of a job."""
        for _ in range(most):
            if not self.step():
                return self.jobs.get(job.id)
        raise AssertionError("The messages do not come to an end.")

    def keys(self, prefix: str) -> list[str]:
        return [entry.key for entry in self.store.list(prefix)]


@pytest.fixture
def time_for() -> Callable[[int], Callable[[], float]]:
    return up_after


@pytest.fixture
def new_world(tmp_path: Path) -> Callable[[], World]:
    return lambda: World(tmp_path / "scratch")


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path / "scratch")


def up_after(asked: int) -> Callable[[], float]:
    """Make a `remaining_s` that is long until it has been asked so often, and then too short for a step."""
    count = 0

    def remaining_s() -> float:
        nonlocal count
        if current_thread() is main_thread():  # the watch over the stage asks too, whenever it does
            count += 1
        return 100.0 if count <= asked else 2.5

    return remaining_s
