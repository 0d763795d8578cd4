"""What is told of jobs: a form of its own, so that what a job's document holds may change."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Literal

import msgspec

from lampyris.jobs.job import Job, Kind, Progress, State

_CENTS_DIGITS = 6  # millionths of a dollar


class Metric(msgspec.Struct, frozen=True, kw_only=True):
    """The latest figure of a job's stage."""

    name: str
    value: float


class JobProgress(msgspec.Struct, frozen=True, kw_only=True):
    """How far a job is: `step` of `steps`, counted in `unit`; 0 of 0 where nobody knows yet.

    `ends_at` is an estimate, null without one.
    """

    stage: str
    step: int
    steps: int
    unit: str
    metric: Metric | None
    ends_at: datetime | None


class JobFailure(msgspec.Struct, frozen=True, kw_only=True):
    """Why a job failed: a stable code, and a sentence for people."""

    code: str
    detail: str


class Parts(msgspec.Struct, frozen=True, kw_only=True):
    """The jobs that a job was divided into, by their state; each can be shown by its name."""

    jobs: tuple[str, ...]
    queued: int
    running: int
    succeeded: int
    failed: int
    cancelled: int


class ShardProgress(msgspec.Struct, frozen=True, kw_only=True):
    """The shards of a batch: how many are done, and the rows in them. The model refused `failed_rows`."""

    count: int
    done: int
    rows: int
    failed_rows: int


class JobState(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a job so far. `cost_usd` is what its workers cost, those of its parts included.

    `attempts` are the times that a worker took it: to begin, to go on where an invocation's time was over,
    or since a worker died.
    """

    job: str
    kind: Kind
    state: State
    model: str | None
    by: str
    compute: Literal["lambda", "batch"]
    created_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    progress: JobProgress
    attempts: int
    cost_usd: float
    failure: JobFailure | None


class JobResult(msgspec.Struct, frozen=True, kw_only=True):
    """A file that a job made. The address is signed, and needs no other authorisation."""

    name: str
    url: str
    size_bytes: int | None = None


class JobDetails(JobState, frozen=True, kw_only=True):
    """All that is told of a job.

    `spec` is what it was asked to do, `log` the end of what it wrote, `summary` what came of it, in figures.
    `results` can be fetched for an hour; of those that are many files, `GET /jobs/{job}/results` lists each.
    """

    spec: dict[str, Any]
    log: tuple[str, ...]
    summary: dict[str, Any]
    results: tuple[JobResult, ...]
    parts: Parts | None
    shards: ShardProgress | None
    part_of: str | None


def tells_of_parts(job: Job) -> bool:
    """Say whether how far a job is, or what it cost, is known by its parts alone."""
    return job.waits or job.state in ("failed", "cancelled")


def state_of(job: Job, parts: Sequence[Job], bucket: str) -> JobState:
    """Tell of a job, whose parts are those that are there; nobody is told what the bucket is called.

    Where it says itself what its parts would tell, there may be none.
    """
    return JobState(**_fields(job, parts, bucket))


def details_of(job: Job, parts: Sequence[Job], results: tuple[JobResult, ...], bucket: str) -> JobDetails:
    """Tell all of a job, as `state_of` does."""
    shards = job.shards
    return JobDetails(
        **_fields(job, parts, bucket),
        # What a part is to do, its parent says in words of its own.
        spec={} if job.parent else {name: value for name, value in job.spec.items() if value is not None},
        log=tuple(_without(bucket, line) for line in job.log),
        summary=job.summary,
        results=results,
        parts=None if job.children == 0 else _parts(parts),
        shards=None
        if shards is None
        else ShardProgress(
            count=shards.count, done=shards.finished, rows=shards.rows, failed_rows=shards.failed_rows
        ),
        part_of=job.parent,
    )


def _fields(job: Job, parts: Sequence[Job], bucket: str) -> dict[str, Any]:
    failure = job.failure
    return {
        "job": job.id,
        "kind": job.kind,
        "state": job.state,
        "model": job.model,
        "by": job.by,
        "compute": job.compute,
        "created_at": job.created_at,
        "started_at": job.started_at,
        "ended_at": job.ended_at,
        "progress": _progress(job, parts),
        "attempts": job.attempts,
        "cost_usd": round(job.cost_usd + _parts_usd(job, parts), _CENTS_DIGITS),
        "failure": None
        if failure is None
        else JobFailure(code=failure.code, detail=_without(bucket, failure.detail)),
    }


def _parts_usd(job: Job, parts: Sequence[Job]) -> float:
    return sum(part.cost_usd for part in parts) if parts else job.parts_usd


def _progress(job: Job, parts: Sequence[Job]) -> JobProgress:
    """Tell how far a job is; one that waits has no worker that could say it."""
    told = job.progress
    if job.shards is not None and (job.waits or told.steps == 0):
        told = Progress(stage=told.stage, step=job.shards.finished, steps=job.shards.count, unit="shards")
    elif job.waits and job.gang:
        told = max((part.progress for part in parts), key=lambda one: one.step, default=told)
    elif job.waits and parts:
        ended = sum(part.ended for part in parts)
        told = Progress(stage=told.stage, step=ended, steps=job.children, unit=f"{parts[0].kind}s")
    return JobProgress(
        stage=told.stage,
        step=told.step,
        steps=told.steps,
        unit=told.unit,
        metric=None if told.metric is None else Metric(name=told.metric[0], value=told.metric[1]),
        ends_at=None if job.ended else told.ends_at,
    )


def _without(bucket: str, text: str) -> str:
    return text.replace(f"s3://{bucket}/", "").replace(bucket, "the bucket") if bucket else text


def _parts(parts: Sequence[Job]) -> Parts:
    counts: dict[State, int] = dict.fromkeys(("queued", "running", "succeeded", "failed", "cancelled"), 0)
    for part in parts:
        counts[part.state] += 1
    return Parts(jobs=tuple(part.id for part in parts), **counts)
