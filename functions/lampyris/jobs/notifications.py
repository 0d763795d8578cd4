"""What the world outside hears when a job has ended: an event, and a webhook for who asked for one."""

from datetime import datetime
from typing import Any, Protocol

import msgspec

from lampyris.jobs.job import Failure, Job, Kind, State

EVENT = "Lampyris job ended"


class JobEnded(msgspec.Struct, frozen=True, kw_only=True):
    """What is told of a job; `id` is of this end of it, and told again it is the same."""

    id: str
    job: str
    kind: Kind
    state: State
    model: str | None
    by: str
    created_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    cost_usd: float
    failure: Failure | None
    summary: dict[str, Any]


class EventBus(Protocol):
    def put(self, kind: str, detail: str) -> None:
        """Tell whoever listens. Raises: NotificationFailed."""
        ...


class Webhook(Protocol):
    def call(self, url: str, *, message_id: str, kind: str, data: JobEnded) -> str | None:
        """Call an address; return why it never will be, if it is not to be tried again.

        Raises: NotificationFailed, to be tried again.
        """
        ...


class Note(Protocol):
    def __call__(self, job: str, line: str) -> object:
        """Add a line to a job's log."""


class Notifying:
    """The duties "notify" and "webhook". Both may be done twice: the same `id` says that it is the same."""

    def __init__(self, events: EventBus, webhook: Webhook, *, note: Note) -> None:
        self._events = events
        self._webhook = webhook
        self._note = note

    def notify(self, job: Job) -> None:
        """Put an event. Raises: NotificationFailed."""
        self._events.put(EVENT, msgspec.json.encode(job_ended(job)).decode())

    def call(self, job: Job) -> None:
        """Call the webhook that a job has. Raises: NotificationFailed, TableUnavailable."""
        assert job.webhook is not None  # else nobody has this duty
        ended = job_ended(job)
        refused = self._webhook.call(job.webhook, message_id=ended.id, kind=f"job.{job.state}", data=ended)
        if refused is not None:
            self._note(job.id, f"No webhook was called: {refused}")


def job_ended(job: Job) -> JobEnded:
    return JobEnded(
        # A job that was begun again may end twice, each time in another generation.
        id=f"job_{job.id}_{job.generation}",
        job=job.id,
        kind=job.kind,
        state=job.state,
        model=job.model,
        by=job.by,
        created_at=job.created_at,
        started_at=job.started_at,
        ended_at=job.ended_at,
        cost_usd=job.cost_usd,
        failure=job.failure,
        summary=job.summary,
    )
