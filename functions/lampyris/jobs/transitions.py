"""What may become of a job: pure functions from a document to the next.

    queued ──claimed──> running ──succeeded──> succeeded
       ^                │  ^  │
       │     let go, lost, │  └──failed──────> failed ──retried──> queued
       │     handed over   │
       └── retried ── cancelled <──cancelled── queued, running

A running job has a worker, or waits for its children or shards, or lies ready for the next worker. Whoever
changes it says what it knew: a worker its generation, who attends the beat that it saw. Applied twice, a
function changes nothing the second time, since an answer that was lost is asked for again.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from msgspec.structs import replace

from lampyris.errors import IllegalTransition, JobLost
from lampyris.jobs.job import Failure, Job, Progress, Shards, with_log

Transition = Callable[[Job], Job]

# What is done for a job that has ended; what cannot be done is tried again for about a day.
STOP_PARTS, RELEASE, TELL_PARENT, NOTIFY, BURY = "stop-parts", "release", "tell-parent", "notify", "bury"
WEBHOOK, STOP_MACHINES = "webhook", "stop-machines"
_DUTY_TRIES = 100


def advanced(job: Job, wake: int, token: str) -> Job:
    """Let the chain of wake-ups go on from one of them; `is_latest` says whether it was its turn.

    Of several messages with the same number the first wins, and wins again if it is delivered again: whoever
    got it may have died before it sent the next.
    """
    if job.wakes > wake or job.is_finished:
        return job
    return replace(job, wakes=wake + 1, waker=token)


def is_latest(job: Job, wake: int, token: str) -> bool:
    return (job.wakes, job.waker) == (wake + 1, token) and not job.is_finished


def called(job: Job, generation: int) -> Job:
    """Let a worker be called for a job that got its slots, as it was in that generation."""
    if job.generation != generation or job.ended or job.waits or job.worker is not None:
        return job
    return replace(job, called=True)


def not_called(job: Job, generation: int) -> Job:
    """Note that the slots of a job that waits were given back."""
    if job.generation != generation or not job.waits:
        return job
    return replace(job, called=False)


def claimed(job: Job, worker: str, now: datetime) -> Job:
    """Give a job to a worker. Raises: JobLost if another has it, or it needs none."""
    if job.worker == worker:
        return job
    if job.ended or job.worker is not None or job.waits or not job.called:
        raise JobLost(job=job.id)
    return replace(
        job,
        state="running",
        worker=worker,
        generation=job.generation + 1,
        attempts=job.attempts + 1,
        fruitless=job.fruitless + 1,
        beat=job.beat + 1,
        started_at=job.started_at or now,
        changed_at=now,
    )


def check_held(job: Job, worker: str, generation: int) -> None:
    """Raises: JobLost if another worker has the job by now, or it has ended."""
    if job.worker != worker or job.generation != generation:
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
    """Show a sign of life, and say what was spent so far."""
    return replace(
        job,
        beat=job.beat + 1,
        progress=progress or job.progress,
        log=with_log(job, log),
        billed_ms=max(job.billed_ms, billed_ms),
        cost_usd=max(job.cost_usd, cost_usd),
        changed_at=now,
    )


def checkpointed(job: Job, key: str, now: datetime) -> Job:
    """Let the next worker go on from a checkpoint: what it took to get there is not lost any more."""
    return replace(job, checkpoint=key, fruitless=0, beat=job.beat + 1, changed_at=now)


def handed_over(job: Job, now: datetime) -> Job:
    """Lay a job ready for the next worker; who only ever hands over, and comes no further, has failed."""
    return _unless_tired(_let_go(job, now), _no_progress(job), now)


def failed_for_now(job: Job, failure: Failure, now: datetime) -> Job:
    """End an attempt that failed for a reason that may pass; after too many of them the job has failed."""
    return _unless_tired(replace(_let_go(job, now), called=False), failure, now)


def lost(job: Job, seen: int, now: datetime) -> Job:
    """Take a job from a worker that gave no sign of life since its beat was `seen`.

    What that worker still writes is refused. After too many fruitless attempts, the job has failed.
    """
    if job.worker is None or job.beat != seen:
        return job
    reason = Failure(
        code="worker-lost",
        detail=f"{job.fruitless} workers in a row died before they came further: most likely the function's "
        "memory or disk is too small for this job.",
    )
    gone = replace(_let_go(job, now), called=False, generation=job.generation + 1)
    return _unless_tired(gone, reason, now)


def waiting(
    job: Job, now: datetime, *, children: int = 0, gang: bool = False, shards: Shards | None = None
) -> Job:
    """Let a job go until its children have ended or its shards are done.

    Who waits again for what is there already comes no further, and has failed after too many times.
    """
    is_further = children > job.children or (shards is not None and job.shards is None)
    waits = replace(
        _let_go(job, now),
        waits=True,
        children=max(children, job.children),
        gang=gang,
        shards=job.shards or shards,
        fruitless=0 if is_further else job.fruitless,
    )
    return _unless_tired(waits, _no_progress(job), now)


def woken(job: Job, now: datetime, *, parts_usd: float = 0.0) -> Job:
    """Let a job that waited be taken by a worker again: what it waited for is there, and cost so much."""
    if not job.waits:
        return job
    return replace(
        job,
        state="running",
        waits=False,
        called=False,
        turn=job.turn if job.needs_slot else job.turn + 1,
        parts_usd=parts_usd,
        beat=job.beat + 1,
        changed_at=now,
    )


def shard_done(
    job: Job, shard: int, now: datetime, *, rows: int, failed_rows: int, billed_ms: float, cost_usd: float
) -> Job:
    """Mark a shard as done, and count what came of it; done twice, it is counted once."""
    shards = job.shards
    if shards is None or not job.waits or shards.is_done(shard):
        return job
    assert shard < shards.count
    marked = replace(
        shards,
        done=f"{int(shards.done, 16) | 1 << shard:x}",
        rows=shards.rows + rows,
        failed_rows=shards.failed_rows + failed_rows,
    )
    return replace(
        job,
        shards=marked,
        beat=job.beat + 1,
        fruitless=0,
        billed_ms=job.billed_ms + billed_ms,
        cost_usd=job.cost_usd + cost_usd,
        changed_at=now,
    )


def shards_sent(job: Job, count: int) -> Job:
    """Note that the first `count` shards were given to the queue."""
    if job.shards is None or job.shards.sent >= count:
        return job
    return replace(job, shards=replace(job.shards, sent=count))


def shards_missed(job: Job, seen: int, now: datetime) -> Job:
    """Count that no shard was done for long; after too many times the job has failed."""
    if job.shards is None or not job.waits or job.beat != seen:
        return job
    first = next(iter(job.shards.outstanding(1)), 0)
    reason = Failure(
        code="worker-lost",
        detail=f"No shard was done for long, however often they were tried; the first is shard {first}. Most "
        "likely the function's memory or time is too small for its rows.",
    )
    return _unless_tired(replace(job, fruitless=job.fruitless + 1), reason, now)


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
    return replace(_ended(job, "cancelled", now), generation=job.generation + 1)


def retried(job: Job, now: datetime) -> Job:
    """Begin a job again that failed or was cancelled; it goes on from its checkpoint.

    One that waited for children or shards waits for them again: what is done stays done, and as long as it is
    queued, those of its children that did not succeed are yet to be begun again.
    Raises: IllegalTransition if it has succeeded.
    """
    if not job.ended:
        return job
    if job.state == "succeeded":
        raise IllegalTransition(job=job.id, state=job.state, wanted="queued")
    return replace(
        job,
        state="queued",
        called=False,
        turn=job.turn + 1,
        waits=job.children > 0 or job.shards is not None,
        generation=job.generation + 1,
        beat=job.beat + 1,
        fruitless=0,
        failure=None,
        ended_at=None,
        duties=(),
        duty_tries=0,
        changed_at=now,
    )


def parts_begun(job: Job, now: datetime) -> Job:
    """Note that the parts of a job that was retried are under way again."""
    if job.state != "queued" or not job.waits:
        return job
    return replace(job, state="running", beat=job.beat + 1, changed_at=now)


def duty_done(job: Job, duty: str, generation: int) -> Job:
    if job.generation != generation:
        return job  # it ended once more since
    return replace(job, duties=tuple(one for one in job.duties if one != duty))


def duties_failed(job: Job, told: Mapping[str, str], generation: int) -> Job:
    """Count that duties could not be done, and say why of those that are given up in the end."""
    if job.generation != generation:
        return job
    if job.duty_tries + 1 < _DUTY_TRIES:
        return replace(job, duty_tries=job.duty_tries + 1)
    lines = tuple(f"Gave up: {duty}: {why}" for duty, why in told.items())
    return replace(job, duties=tuple(one for one in job.duties if one not in told), log=with_log(job, lines))


def _let_go(job: Job, now: datetime) -> Job:
    return replace(job, worker=None, beat=job.beat + 1, changed_at=now)


def _no_progress(job: Job) -> Failure:
    return Failure(
        code="no-progress",
        detail=f"{job.fruitless} workers in a row came no further: most likely what is between two "
        "checkpoints takes longer than a function may run.",
    )


def _unless_tired(job: Job, failure: Failure, now: datetime) -> Job:
    return job if job.fruitless < job.max_attempts else failed(job, failure, now)


def _ended(job: Job, state: Any, now: datetime, first: tuple[str, ...] = ()) -> Job:
    if job.ended:
        return job
    duties = [*first, RELEASE]
    if job.children and state != "succeeded":
        duties.append(STOP_PARTS)
    if job.compute == "batch" and state != "succeeded":
        duties.append(STOP_MACHINES)
    if job.parent is not None:
        duties.append(TELL_PARENT)
    else:
        duties.append(NOTIFY)
        if state == "failed":
            duties.append(BURY)
        if job.webhook is not None:
            duties.append(WEBHOOK)
    return replace(
        job,
        state=state,
        worker=None,
        called=False,
        waits=False,
        beat=job.beat + 1,
        duties=tuple(duties),
        ended_at=now,
        changed_at=now,
    )
