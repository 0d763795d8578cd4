"""The verb that clears a job away: its document, those of its parts, and every file that they made."""

from collections.abc import Iterator
from itertools import islice

import msgspec

from lampyris.control.call import Caller, Registry
from lampyris.control.jobs import OneJob
from lampyris.control.named_jobs import find_job, jobs_of, parts_of
from lampyris.domain.store import Generation, Store
from lampyris.errors import JobNotEnded
from lampyris.jobs.job import Job
from lampyris.jobs.specs import JOBS
from lampyris.jobs.transitions import NOTIFY, WEBHOOK

_REMOVED_AT_ONCE = 1000  # as many as S3 deletes by one call


class Purged(msgspec.Struct, frozen=True, kw_only=True):
    """What went: jobs, with their parts, and writings of files. `done` is False if the time was over."""

    jobs: int
    objects: int
    done: bool


def purge(registry: Registry, arguments: OneJob, _caller: Caller) -> Purged:
    """Remove a job that has ended, beyond recovery; models that it published stay.

    Raises: JobNotFound; JobNotEnded; NoJobs.
    """
    jobs = jobs_of(registry)
    job = find_job(registry, arguments.job)
    family = [*parts_of(jobs, job), job]
    for one in family:
        if not one.ended:
            raise JobNotEnded(job=one.id, state=one.state)
        if set(one.duties) - {NOTIFY, WEBHOOK}:
            raise JobNotEnded(job=one.id, state="being finished")
    objects = 0
    for chosen in _in_portions(registry.store, family):
        if not registry.may_go_on():
            return Purged(jobs=0, objects=objects, done=False)
        registry.store.purge(chosen)
        objects += len(chosen)
    for one in family:  # itself last: as long as it is there, its parts can be found
        jobs.forget(one.id)
    return Purged(jobs=len(family), objects=objects, done=True)


def _in_portions(store: Store, family: list[Job]) -> Iterator[list[Generation]]:
    for one in family:
        found = store.generations(f"{JOBS}{one.id}/")
        while portion := list(islice(found, _REMOVED_AT_ONCE)):
            yield portion
