"""Jobs by name: submitted once, read, and changed by conditional writes alone."""

import hashlib
import secrets
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

import msgspec

from lampyris.errors import (
    ItemChanged,
    ItemExists,
    ItemNotFound,
    JobNotFound,
    JobTooLarge,
    KeyReused,
    TableUnavailable,
)
from lampyris.jobs import transitions
from lampyris.jobs.job import (
    MOST_ASKED_BYTES,
    MOST_BYTES,
    Failure,
    Job,
    Kind,
    child_id,
    decode_job,
    encode_job,
)
from lampyris.jobs.table import JOBS_LIST, Item, Table
from lampyris.jobs.transitions import Transition
from lampyris.jobs.wake_ups import LEASE_S, Queues, WakeUp

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
    """The jobs of a deployment. `now` is for people: no decision follows from it.

    `token` makes a name that nothing else has, for a message.
    """

    def __init__(
        self,
        table: Table,
        queues: Queues,
        *,
        now: Callable[[], datetime],
        token: Callable[[], str] = secrets.token_urlsafe,
    ) -> None:
        self.table = table
        self.queues = queues
        self.now = now
        self._token = token

    def submit(self, asked: Asked, refused: Failure | None = None) -> Job:
        """Make a job and have it attended to; the same key again is the same job.

        One that is `refused` has failed from the beginning.

        Raises: KeyReused if that key made another job; JobTooLarge; TableUnavailable, QueueUnavailable: ask
        again then.
        """
        return self._make(job_id(asked.by, asked.key), asked, parent=None, refused=refused)

    def submit_child(self, parent: Job, number: int, asked: Asked) -> Job:
        """Make a part of a job, or begin it again if it did not succeed, and have it attended to.

        Raises: as `submit`.
        """
        child = self._make(child_id(parent.id, number), asked, parent=parent.id)
        return self.retry(child.id) if child.ended and child.state != "succeeded" else child

    def get(self, job: str) -> Job:
        """Raises: JobNotFound, TableUnavailable."""
        return decode_job(self._item(job).data)

    def recent(self, *, limit: int, before: str | None = None) -> Iterator[Job]:
        """Yield jobs, the newest first; `before` is the `place` of one to go on behind."""
        for item in self.table.list(JOBS_LIST, limit=limit, before=before):
            yield decode_job(item.data)

    def change(self, job: str, transition: Transition) -> Job:
        """Apply a transition to the latest state of a job; written if it changes anything.

        Raises: JobNotFound, JobTooLarge, TableUnavailable, and what the transition raises.
        """
        for _ in range(_TRIES):
            item = self._item(job)
            before = decode_job(item.data)
            after = transition(before)
            if after == before:
                return before
            try:
                self.table.replace(item, _encode(after, MOST_BYTES))
            except ItemChanged:
                continue  # by another, or by this very call: the transition finds out
            return after
        raise TableUnavailable(operation="change a job", cause="too many writers")

    def cancel(self, job: str) -> Job:
        """Raises: JobNotFound, IllegalTransition, TableUnavailable, QueueUnavailable."""
        ended = self.change(job, lambda one: transitions.cancelled(one, self.now()))
        self.look(ended)
        return ended

    def retry(self, job: str) -> Job:
        """Begin a job again, and what did not succeed of its children.

        Raises: JobNotFound, IllegalTransition, TableUnavailable, QueueUnavailable.
        """
        while True:
            before = self.get(job)
            if transitions.retried(before, self.now()) is before:
                return before
            # As when it was made: first a new chain. The old one may go on for one wake-up, if for any.
            number = before.wakes + 1
            self.keep_going(before, wake=number)
            after = self.change(job, lambda one: self._retried(one, number))  # noqa: B023 - called at once
            if not after.ended:
                self._begin(after)
                return after

    def resume(self, job: str) -> Job:
        """Let a job's chain of wake-ups go on, of which one was lost; if none was, it goes on sooner.

        Raises: JobNotFound, TableUnavailable, QueueUnavailable.
        """
        found = self.get(job)
        if not found.is_finished:
            self._begin(found)
        return found

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

    def keep_going(self, job: Job, *, wake: int, still: int = 0, delay_s: int = LEASE_S) -> None:
        """Send the wake-up of this number in a job's chain. Raises: QueueUnavailable."""
        message = WakeUp(job=job.id, wake=wake, token=self._token(), seen=job.beat, still=still)
        self.queues.send("attend", message, delay_s=delay_s)

    def look(self, job: Job) -> None:
        """Have a job attended to now, whatever its chain does. Raises: QueueUnavailable."""
        self.queues.send("attend", WakeUp(job=job.id))

    def _make(self, name: str, asked: Asked, *, parent: str | None, refused: Failure | None = None) -> Job:
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
        if refused is not None:
            job = transitions.failed(job, refused, now)
        data = _encode(job, MOST_ASKED_BYTES)
        self.keep_going(job, wake=0)  # first: a job that stands has a chain, whoever dies now
        try:
            self.table.create(_KEY + name, data, (JOBS_LIST, place(job)) if parent is None else None)
        except ItemExists:
            job, digest = self.get(name), job.digest
            if job.digest != digest:
                raise KeyReused(key=asked.key) from None
        if job.wakes == 0 and not job.is_finished:
            self._begin(job)
        elif not job.ended:
            self.look(job)
        return job

    def _begin(self, job: Job) -> None:
        """Have a job attended to now, by its chain: the wake-up before may have come when nothing stood."""
        self.queues.send("attend", WakeUp(job=job.id, wake=job.wakes, token=self._token()))

    def _retried(self, job: Job, number: int) -> Job:
        """Begin a job again, unless its chain has come past the wake-up of that number meanwhile."""
        return job if job.wakes > number else transitions.retried(job, self.now())

    def _item(self, job: str) -> Item:
        try:
            return self.table.get(_KEY + job)
        except ItemNotFound:
            raise JobNotFound(job=job) from None


def job_id(by: str, key: str) -> str:
    """Name a job by who asked for it and by which key."""
    return hashlib.sha256(msgspec.json.encode((by, key))).hexdigest()[:_ID_DIGITS]


def _encode(job: Job, limit_bytes: int) -> bytes:
    data = encode_job(job)
    if len(data) > limit_bytes:
        raise JobTooLarge(size_bytes=len(data), limit_bytes=limit_bytes)
    return data


def place(job: Job) -> str:
    """Return a job's place in the list: by time, and by name within the same microsecond."""
    return f"{job.created_at.isoformat()}#{job.id}"
