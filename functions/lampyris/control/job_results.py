"""The verb about what a job made, and the addresses by which it is fetched."""

from collections.abc import Iterator
from contextlib import suppress
from itertools import islice

from lampyris.control.call import Caller, Registry
from lampyris.control.fields import JobName
from lampyris.control.job_states import JobResult
from lampyris.control.named_jobs import find_job
from lampyris.control.pages import Page, PageArguments
from lampyris.domain.store import Store
from lampyris.errors import ObjectNotFound
from lampyris.jobs.job import Job
from lampyris.jobs.specs import JOBS

_EXPIRES_S = 3600


class ResultsOf(PageArguments, frozen=True, kw_only=True):
    job: JobName


class ResultPage(Page[JobResult], frozen=True, kw_only=True):
    """Files, and where to fetch each within the next hour."""


def list_results(registry: Registry, arguments: ResultsOf, _caller: Caller) -> ResultPage:
    """List every file that a job made, in order of their names. Raises: JobNotFound, NoJobs."""
    job = find_job(registry, arguments.job)
    after = arguments.after or ""
    found = list(islice(_files(registry.store, job, after), arguments.limit + 1))
    chosen = found[: arguments.limit]
    return ResultPage(items=tuple(chosen), next=chosen[-1].name if len(found) > len(chosen) else None)


def links(store: Store, job: Job) -> tuple[JobResult, ...]:
    """Return where to fetch the files that a job names one by one."""
    return tuple(
        JobResult(name=name, url=store.presign("GET", key, _EXPIRES_S))
        for name, key in _named(job)
        if not key.endswith("/")
    )


def _files(store: Store, job: Job, after: str) -> Iterator[JobResult]:
    """Yield the files whose names come after `after`; a prefix that a job names is all that is below it."""
    for name, key in _named(job):
        if not key.endswith("/"):
            if name > after:
                with suppress(ObjectNotFound):  # results are cleared away before what is known of their job
                    yield _file(store, name, key, store.size_bytes(key))
            continue
        within = f"{name}/"
        if after >= f"{name}0":  # all of them come before: 0 follows the slash
            continue
        start = key + after.removeprefix(within) if after.startswith(within) else ""
        for entry in store.list(key, start):
            yield _file(store, within + entry.key.removeprefix(key), entry.key, entry.size_bytes)


def _named(job: Job) -> list[tuple[str, str]]:
    """Name each result as a file: as the job names it, with the ending that its key has."""
    return sorted(
        (f"{name}{'' if '.' in name else _ending(key)}", key)
        for name, key in job.results.items()
        if key.startswith(JOBS)
    )


def _ending(key: str) -> str:
    _, dot, ending = key.rpartition("/")[2].rpartition(".")
    return dot + ending if dot else ""


def _file(store: Store, name: str, key: str, size_bytes: int) -> JobResult:
    return JobResult(name=name, url=store.presign("GET", key, _EXPIRES_S), size_bytes=size_bytes)
