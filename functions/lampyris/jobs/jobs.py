"""Jobs by name: submitted once, read, and changed by conditional writes alone."""

import hashlib
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

import msgspec

from lampyris.errors import ItemChanged, ItemExists, ItemNotFound, JobNotFound, KeyReused, TableUnavailable
from lampyris.jobs import transitions
from lampyris.jobs.job import Job, Kind, child_id, decode_job, encode_job
from lampyris.jobs.table import JOBS_LIST, Item, Table
from lampyris.jobs.transitions import Transition
from lampyris.jobs.wake_ups import Queues, WakeUp

_KEY = "job#"
# Nobody writes a job that often at once; who meets this many is told to come again.
_TRIES = 50
_ID_DIGITS = 32


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody asks for, whose name and idempotency key make the job's own."""

    kind: Kind
    by: str
    key: str
    spec: dict[str, Any]
    model: str | None = None
    compute: str = "lambda"
    webhook: str | None = None
    max_attempts: int = 5


class Jobs:
    """The jobs of a deployment. `now` is for people: no decision follows from it."""

    def __init__(self, table: Table, queues: Queues, *, now: Callable[[], datetime]) -> None:
        self.table = table
        self.queues = queues
        self.now = now

    def submit(self, asked: Asked) -> Job:
        """Make a job and wake who attends to it; the same key again is the same job.

        Raises: KeyReused if that key made another job; TableUnavailable, QueueUnavailable: ask again then.
        """
        job = self._make(job_id(asked.by, asked.key), asked, parent=None)
        if not job.ended:
            self.wake(job)
        return job

    def submit_child(self, parent: Job, number: int, asked: Asked) -> Job:
        """Make a part of a job, and wake who attends to it. Raises: as `submit`."""
        job = self._make(child_id(parent.id, number), asked, parent=parent.id)
        if not job.ended:
            self.wake(job)
        return job

    def get(self, job: str) -> Job:
        """Raises: JobNotFound, TableUnavailable."""
        return decode_job(self._item(job).data)

    def recent(self, *, limit: int, before: str | None = None) -> Iterator[Job]:
        """Yield jobs, the newest first; `before` is the `place` of one to go on behind."""
        for item in self.table.list(JOBS_LIST, limit=limit, before=before):
            yield decode_job(item.data)

    def change(self, job: str, transition: Transition) -> Job:
        """Apply a transition to the latest state of a job; written if it changes anything.

        Raises: JobNotFound, TableUnavailable, and what the transition raises.
        """
        for _ in range(_TRIES):
            item = self._item(job)
            before = decode_job(item.data)
            after = transition(before)
            if after == before:
                return before
            try:
                self.table.replace(item, encode_job(after))
            except ItemChanged:
                continue  # by another, or by this very call: the transition finds out
            return after
        raise TableUnavailable(operation="change a job", cause="too many writers")

    def cancel(self, job: str) -> Job:
        """Raises: JobNotFound, IllegalTransition, TableUnavailable, QueueUnavailable."""
        ended = self.change(job, lambda one: transitions.cancelled(one, self.now()))
        self.look(ended)
        for child in ended.child_ids:
            self.queues.send("attend", WakeUp(job=child))  # who attends finds that its parent has ended
        return ended

    def retry(self, job: str) -> Job:
        """Raises: JobNotFound, IllegalTransition, TableUnavailable, QueueUnavailable."""
        again = self.change(job, lambda one: transitions.retried(one, self.now()))
        if not again.ended:
            self.wake(again)
        return again

    def forget(self, job: str) -> None:
        """Remove what the table holds of a job; nothing happens if it is gone.

        Raises: TableUnavailable.
        """
        while True:
            try:
                self.table.delete(self.table.get(_KEY + job))
            except ItemNotFound:
                return
            except ItemChanged:
                continue
            return

    def wake(self, job: Job) -> None:
        """Start the chain of wake-ups that keeps a job going, or join it. Raises: QueueUnavailable."""
        self.queues.send("attend", WakeUp(job=job.id, wake=job.wakes))

    def look(self, job: Job) -> None:
        """Have a job attended to now, whatever its chain does. Raises: QueueUnavailable."""
        self.queues.send("attend", WakeUp(job=job.id))

    def _make(self, name: str, asked: Asked, parent: str | None) -> Job:
        now = self.now()
        job = Job(
            id=name,
            kind=asked.kind,
            by=asked.by,
            digest=hashlib.sha256(msgspec.json.encode(asked, order="deterministic")).hexdigest(),
            spec=asked.spec,
            model=asked.model,
            compute="batch" if asked.compute == "batch" else "lambda",
            webhook=asked.webhook,
            max_attempts=asked.max_attempts,
            created_at=now,
            changed_at=now,
            parent=parent,
        )
        listed = (JOBS_LIST, place(job)) if parent is None else None
        try:
            self.table.create(_KEY + name, encode_job(job), listed)
        except ItemExists:
            found = self.get(name)
            if found.digest != job.digest:
                raise KeyReused(key=asked.key) from None
            return found
        return job

    def _item(self, job: str) -> Item:
        try:
            return self.table.get(_KEY + job)
        except ItemNotFound:
            raise JobNotFound(job=job) from None


def job_id(by: str, key: str) -> str:
    """Name a job by who asked for it and by which key."""
    return hashlib.sha256(msgspec.json.encode((by, key))).hexdigest()[:_ID_DIGITS]


def place(job: Job) -> str:
    """Return a job's place in the list: by time, and by name within the same microsecond."""
    return f"{job.created_at.isoformat()}#{job.id}"
