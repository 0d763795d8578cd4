"""What may become of a job: pure functions from a document to the next.

    queued ──claimed──> running ──succeeded──> succeeded
       ^                │  ^  │
       │     let go, lost, │  └──failed──────> failed ──retried──> queued
       │     handed over   │
       └── retried ── cancelled <──cancelled── queued, running

A running job has a worker, or waits for its children or shards, or lies ready for the next worker. Each
function that a worker calls says which generation it holds; applied twice, it changes nothing the second
time, since an answer that was lost is asked for again.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from msgspec.structs import replace

from lampyris.errors import IllegalTransition, JobLost
from lampyris.jobs.job import Failure, Job, Progress, Shards, with_log

# What is done for every job that has ended, in this order.
RELEASE, TELL_PARENT, NOTIFY, BURY = "release", "tell-parent", "notify", "bury"
_NOTIFICATIONS = 12


def claimed(job: Job, worker: str, now: datetime) -> Job:
    """Give a job to a worker. Raises: JobLost if another has it, or it needs none."""
    if job.worker == worker:
        return job
    if job.ended or job.worker is not None or job.waits:
        raise JobLost(job=job.id)
    return replace(
        job,
        state="running",
        worker=worker,
        generation=job.generation + 1,
        attempts=job.attempts + 1,
        beat=job.beat + 1,
        started_at=job.started_at or now,
        changed_at=now,
    )


def check_held(job: Job, worker: str, generation: int) -> None:
    """Raises: JobLost if another worker has the job by now, or it has ended."""
    if job.state != "running" or job.worker != worker or job.generation != generation:
        raise JobLost(job=job.id)


def beaten(
    job: Job,
    *,
    now: datetime,
    progress: Progress | None = None,
    log: tuple[str, ...] = (),
    billed_ms: float,
    cost_usd: float,
) -> Job:
    """Show a sign of life. Progress that goes on from before says that the attempt bears fruit."""
    moved = progress is not None and (progress.stage, progress.step) != (
        job.progress.stage,
        job.progress.step,
    )
    return replace(
        job,
        beat=job.beat + 1,
        progress=progress or job.progress,
        log=with_log(job, log),
        billed_ms=billed_ms,
        cost_usd=cost_usd,
        fruitless=0 if moved and job.checkpoint is not None else job.fruitless,
        changed_at=now,
    )


def checkpointed(job: Job, key: str, now: datetime) -> Job:
    """Let the next worker go on from a checkpoint: what it took to get there is not lost any more."""
    return replace(job, checkpoint=key, fruitless=0, beat=job.beat + 1, changed_at=now)


def let_go(job: Job, now: datetime) -> Job:
    """Lay a job ready for the next worker."""
    return replace(job, worker=None, beat=job.beat + 1, changed_at=now)


def waiting(job: Job, now: datetime, *, children: int = 0, shards: Shards | None = None) -> Job:
    """Let a job go until its children have ended or its shards are done."""
    return replace(
        let_go(job, now),
        waits=True,
        children=children or job.children,
        shards=shards or job.shards,
        fruitless=0,
    )


def woken(job: Job, now: datetime) -> Job:
    """Let a job that waited be taken by a worker again: what it waited for is there."""
    if job.ended or not job.waits:
        return job
    return replace(job, waits=False, beat=job.beat + 1, changed_at=now)


def lost(job: Job, seen: int, now: datetime) -> Job:
    """Take a job from a worker that gave no sign of life since its beat was `seen`.

    What that worker still writes is refused. After too many fruitless attempts, the job has failed.
    """
    if job.ended or job.worker is None or job.beat != seen:
        return job
    gone = replace(
        job,
        worker=None,
        generation=job.generation + 1,
        fruitless=job.fruitless + 1,
        beat=job.beat + 1,
        changed_at=now,
    )
    if gone.fruitless < job.max_attempts:
        return gone
    reason = Failure(
        code="worker-lost",
        detail=f"{gone.fruitless} workers in a row died before they came further: most likely the function's "
        "memory or disk is too small for this job.",
    )
    return failed(gone, reason, now)


def failed_for_now(job: Job, failure: Failure, now: datetime) -> Job:
    """Count an attempt that failed for a reason that may pass; after too many of them the job has failed."""
    tried = replace(let_go(job, now), fruitless=job.fruitless + 1)
    return tried if tried.fruitless < job.max_attempts else failed(tried, failure, now)


def succeeded(
    job: Job,
    now: datetime,
    *,
    results: Mapping[str, str],
    summary: Mapping[str, Any],
    duties: tuple[str, ...] = (),
) -> Job:
    """End a job well. `duties` are done first of all that is left to do."""
    progress = replace(job.progress, step=job.progress.steps, ends_at=None)
    ended = _ended(job, "succeeded", now, first=duties)
    return replace(ended, results=dict(results), summary=dict(summary), progress=progress)


def failed(job: Job, failure: Failure, now: datetime) -> Job:
    return replace(_ended(job, "failed", now), failure=failure)


def cancelled(job: Job, now: datetime) -> Job:
    """End a job that nobody wants any more. Raises: IllegalTransition if it has ended otherwise."""
    if job.state == "cancelled":
        return job
    if job.ended:
        raise IllegalTransition(job=job.id, state=job.state, wanted="cancelled")
    return _ended(job, "cancelled", now)


def retried(job: Job, now: datetime) -> Job:
    """Begin a job again that failed or was cancelled; it goes on from its checkpoint.

    Raises: IllegalTransition if it has succeeded.
    """
    if not job.ended:
        return job
    if job.state == "succeeded":
        raise IllegalTransition(job=job.id, state=job.state, wanted="queued")
    return replace(
        job,
        state="queued",
        worker=None,
        # A job that waited for children or shards waits for them again: what is done stays done.
        waits=job.children > 0 or job.shards is not None,
        generation=job.generation + 1,
        beat=job.beat + 1,
        fruitless=0,
        failure=None,
        ended_at=None,
        duties=(),
        changed_at=now,
    )


def duty_done(job: Job, duty: str) -> Job:
    return replace(job, duties=tuple(one for one in job.duties if one != duty), duty_tries=0)


def duty_failed(job: Job, duty: str, told: str) -> Job:
    """Count a duty that could not be done; a notification that nobody takes is given up in the end."""
    if duty == NOTIFY and job.duty_tries + 1 >= _NOTIFICATIONS:
        return replace(duty_done(job, duty), log=with_log(job, (f"Gave up. {told}",)))
    return replace(job, duty_tries=job.duty_tries + 1)


def _ended(job: Job, state: Any, now: datetime, first: tuple[str, ...] = ()) -> Job:
    if job.ended:
        return job
    duties = [*first, RELEASE]
    if job.parent is not None:
        duties.append(TELL_PARENT)
    else:
        duties.append(NOTIFY)
    if state == "failed":
        duties.append(BURY)
    return replace(
        job,
        state=state,
        worker=None,
        waits=False,
        generation=job.generation + (1 if state == "cancelled" else 0),
        beat=job.beat + 1,
        duties=tuple(duties),
        ended_at=now,
        changed_at=now,
    )


Transition = Callable[[Job], Job]
