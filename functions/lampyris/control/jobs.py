"""Verbs about jobs: ask for one, see how far it is, end it, begin it again."""

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterator
from typing import Annotated

import msgspec

from lampyris.control.call import Caller, Registry
from lampyris.control.fields import JobName
from lampyris.control.job_results import links
from lampyris.control.job_states import JobDetails, JobState, details_of, state_of, tells_of_parts
from lampyris.control.named_jobs import checked_name, find_job, jobs_of, parts_of
from lampyris.control.pages import Page
from lampyris.domain.names import check_model_name
from lampyris.domain.store import Store
from lampyris.errors import (
    IllegalTransition,
    InputNotFound,
    JobNotFound,
    MalformedRequest,
    NoJobs,
    ObjectNotFound,
)
from lampyris.jobs.job import Job, Kind, State
from lampyris.jobs.jobs import Asked, Jobs, job_id, place
from lampyris.jobs.specs import BatchSpec, EvaluateSpec, Spec, TrainSpec, checked, model_of, with_digest
from lampyris.registry.documents import read_alias, read_version

# Where the gateway authorises nobody: only there may a webhook stand on the machine itself.
_LOCAL = "local"
_WEBHOOK = re.compile(r"https://[^\s/?#@]+(?:[/?][!-~]*)?")
_WEBHOOK_HERE = re.compile(r"http://(?:localhost|127\.0\.0\.1):[0-9]{1,5}(?:[/?][!-~]*)?")
_LONGEST_WEBHOOK = 1000
_PLACE = re.compile(r"[0-9T:.+-]{19,40}#[0-9a-f-]{1,64}")
_SEARCHED_AT_ONCE = 100
_REDRIVEN_AT_ONCE = 10


class Submit(msgspec.Struct, frozen=True, kw_only=True):
    spec: Annotated[
        Spec, msgspec.Meta(description="What to do: its `kind` is train, evaluate, tune or batch.")
    ]
    webhook: Annotated[
        str | None,
        msgspec.Meta(description="An https address that is told when the job has ended, signed."),
    ] = None
    max_attempts: Annotated[
        int,
        msgspec.Meta(ge=1, le=20, description="After how many attempts in a row without progress it fails."),
    ] = 5


class ListJobs(msgspec.Struct, frozen=True, kw_only=True):
    state: Annotated[State | None, msgspec.Meta(description="Only jobs in this state.")] = None
    kind: Annotated[Kind | None, msgspec.Meta(description="Only jobs of this kind.")] = None
    model: Annotated[str | None, msgspec.Meta(description="Only jobs about this model.")] = None
    limit: Annotated[int, msgspec.Meta(ge=1, le=100, description="How many items, at most.")] = 20
    after: Annotated[str | None, msgspec.Meta(description="Where to go on: `next` of the page before.")] = (
        None
    )


class OneJob(msgspec.Struct, frozen=True, kw_only=True):
    job: JobName


class Redrive(msgspec.Struct, frozen=True, kw_only=True):
    limit: Annotated[
        int, msgspec.Meta(ge=1, le=1000, description="How many jobs to begin again, at most.")
    ] = 100


class JobPage(Page[JobState], frozen=True, kw_only=True):
    """Jobs, the newest first. One that was searched for long may hold fewer than were asked for."""


class Redriven(msgspec.Struct, frozen=True, kw_only=True):
    """The jobs that go on; `dropped` letters were of jobs that ended otherwise since, or are gone.

    `done` is False if there may be more.
    """

    jobs: tuple[str, ...]
    dropped: int
    done: bool


def submit(registry: Registry, arguments: Submit, caller: Caller) -> JobState:
    """Ask for a job; the same key again is the same job.

    Raises: MalformedRequest, InvalidName; ModelNotFound, VersionNotFound, VersionDeleted, AliasNotFound,
        InputNotFound; KeyReused; NoJobs.
    """
    jobs = jobs_of(registry)
    spec = checked(arguments.spec, registry.bucket)
    key = caller.author.key
    _check_webhook(arguments.webhook, caller)
    if not _is_there(jobs, job_id(caller.by, key)):
        _check_inputs(registry.store, spec)
    job = jobs.submit(
        Asked(
            kind=spec_kind(spec),
            by=caller.by,
            key=key,
            spec=msgspec.to_builtins(spec),
            model=model_of(spec),
            compute=spec.compute if isinstance(spec, TrainSpec) else "lambda",
            webhook=arguments.webhook,
            max_attempts=arguments.max_attempts,
        )
    )
    return state_of(job, parts_of(jobs, job), registry.bucket)


def list_all(registry: Registry, arguments: ListJobs, _caller: Caller) -> JobPage:
    """List jobs, the newest first. Raises: MalformedRequest, InvalidName, NoJobs."""
    jobs = jobs_of(registry)
    before = None if arguments.after is None else _place_of(arguments.after)
    if arguments.model is not None:
        check_model_name(arguments.model)
    found: list[Job] = []
    following: str | None = None
    # What is rare in the list is searched for in large pages; one more says whether there is a next page.
    is_searched = any((arguments.state, arguments.kind, arguments.model))
    for job in _recent(jobs, before, at_once=_SEARCHED_AT_ONCE if is_searched else arguments.limit + 1):
        if len(found) == arguments.limit:
            following = _mark_of(place(found[-1]))
            break
        if _is_wanted(job, arguments):
            found.append(job)
        if not registry.may_go_on():
            following = _mark_of(place(job))
            break
    items = tuple(
        state_of(job, parts_of(jobs, job) if tells_of_parts(job) else (), registry.bucket) for job in found
    )
    return JobPage(items=items, next=following)


def show(registry: Registry, arguments: OneJob, _caller: Caller) -> JobDetails:
    """Raises: JobNotFound, NoJobs."""
    return _details(registry, find_job(registry, arguments.job))


def cancel(registry: Registry, arguments: OneJob, _caller: Caller) -> JobState:
    """End a job that nobody wants any more, and its parts. Raises: JobNotFound, IllegalTransition, NoJobs."""
    jobs = jobs_of(registry)
    job = jobs.cancel(checked_name(registry, arguments.job))
    return state_of(job, parts_of(jobs, job), registry.bucket)


def retry(registry: Registry, arguments: OneJob, _caller: Caller) -> JobState:
    """Begin a job again that failed or was cancelled, from its checkpoint; one under way goes on.

    Raises: JobNotFound, IllegalTransition, NoJobs.
    """
    jobs = jobs_of(registry)
    job = jobs.retry(checked_name(registry, arguments.job))
    return state_of(job, parts_of(jobs, job), registry.bucket)


def redrive(registry: Registry, arguments: Redrive, _caller: Caller) -> Redriven:
    """Begin every job again that waits among the failed ones, once, and let those go on that stood still.

    Raises: NoJobs.
    """
    jobs, letters = jobs_of(registry), registry.dead_letters
    if letters is None:
        raise NoJobs(reason="There is no queue for failed jobs here.")
    begun: dict[str, None] = {}
    dropped = 0
    while len(begun) < arguments.limit and registry.may_go_on():
        received = letters.receive(min(_REDRIVEN_AT_ONCE, arguments.limit - len(begun)))
        if not received:
            return Redriven(jobs=tuple(begun), dropped=dropped, done=True)
        for letter in received:
            if letter.job not in begun:
                if _goes_on(jobs, letter.job):
                    begun[letter.job] = None
                else:
                    dropped += 1
            letters.remove(letter)
    return Redriven(jobs=tuple(begun), dropped=dropped, done=False)


def _goes_on(jobs: Jobs, name: str) -> bool:
    """Let a job go on that failed, or whose wake-up was lost; False if it is gone, or has ended otherwise."""
    try:
        job = jobs.resume(name)
        if job.state == "failed":
            job = jobs.retry(name)
    except (JobNotFound, IllegalTransition):
        return False
    return not job.ended


def spec_kind(spec: Spec) -> Kind:
    """Return the kind of job that a specification is of."""
    kind: Kind = spec.__struct_config__.tag  # type: ignore[assignment]  # the tags are kinds
    return kind


def _details(registry: Registry, job: Job) -> JobDetails:
    parts = parts_of(jobs_of(registry), job)
    return details_of(job, parts, links(registry.store, job), registry.bucket)


def _recent(jobs: Jobs, before: str | None, *, at_once: int) -> Iterator[Job]:
    """Yield all jobs, the newest first. A page may be short of what was purged and is still listed."""
    while page := list(jobs.recent(limit=at_once, before=before)):
        yield from page
        before = place(page[-1])


def _mark_of(place: str) -> str:
    """Write a place in the list so that it can stand in an address as it is."""
    return urlsafe_b64encode(place.encode()).decode().rstrip("=")


def _place_of(mark: str) -> str:
    try:
        place = urlsafe_b64decode(mark.encode("ascii") + b"==").decode()
    except ValueError:  # of base64, and of text that is none
        place = ""
    if not _PLACE.fullmatch(place):
        raise MalformedRequest(reason=f"after is {mark[:80]!r}; use `next` of the page before.")
    return place


def _is_wanted(job: Job, wanted: ListJobs) -> bool:
    return (
        wanted.state in (None, job.state)
        and wanted.kind in (None, job.kind)
        and wanted.model in (None, job.model)
    )


def _is_there(jobs: Jobs, name: str) -> bool:
    try:
        jobs.get(name)
    except JobNotFound:
        return False
    return True


def _check_inputs(store: Store, spec: Spec) -> None:
    """Say at once what a job would fail for: a model or an input that is not there."""
    if isinstance(spec, (EvaluateSpec, BatchSpec)):
        if spec.version.isdigit():
            read_version(store, spec.model, int(spec.version))
        else:
            read_alias(store, spec.model, spec.version)
    given = spec.input if isinstance(spec, BatchSpec) else spec.data
    if given is not None and with_digest(given) is None and not _stands(store, given):
        raise InputNotFound(key=given)


def _stands(store: Store, key: str) -> bool:
    """Say whether something is at a key, or below it."""
    if not key.endswith("/"):
        try:
            store.size_bytes(key)
        except ObjectNotFound:
            pass
        else:
            return True
    return any(True for _ in store.list(f"{key.removesuffix('/')}/"))


def _check_webhook(webhook: str | None, caller: Caller) -> None:
    if webhook is None or (len(webhook) <= _LONGEST_WEBHOOK and _WEBHOOK.fullmatch(webhook)):
        return
    if caller.by == _LOCAL and _WEBHOOK_HERE.fullmatch(webhook):
        return
    raise MalformedRequest(
        reason=f"webhook is {webhook[:200]!r}; it is to be an https address of {_LONGEST_WEBHOOK:,} letters "
        "at most."
    )
