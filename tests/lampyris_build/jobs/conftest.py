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
            hold = take(
                self.jobs, message.wake_up.job, f"worker {self.workers}", clock=lambda: self.queues.time_s
            )
            if hold is not None:
                worker = Worker(
                    jobs=self.jobs,
                    store=self.store,
                    bucket=BUCKET,
                    scratch=self.scratch,
                    remaining_s=self.remaining(self.workers),
                )
                with suppress(Killed):
                    if hold.job.kind in self.instead:
                        self.instead[hold.job.kind](hold)
                        return True
                    run_job(hold, worker, following=self.following)
        return True

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
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return World(tmp_path / "scratch")


def up_after(asked: int) -> Callable[[], float]:
    """Make a `remaining_s` that is long until it has been asked so often, and 0 then."""
    count = 0

    def remaining_s() -> float:
        nonlocal count
        if current_thread() is main_thread():  # the watch over the stage asks too, whenever it does
            count += 1
        return 100.0 if count <= asked else 0.0

    return remaining_s
