"""From a name to a job, and to the parts of it."""

import re
from collections.abc import Sequence

from lampyris.control.call import Registry
from lampyris.errors import JobNotFound, NoJobs
from lampyris.jobs.job import Job
from lampyris.jobs.jobs import Jobs
from lampyris.registry.reading import read_each

_NAME = re.compile("[0-9a-f]{32}(?:-[0-9]{1,6}){0,3}")


def jobs_of(registry: Registry) -> Jobs:
    """Raises: NoJobs."""
    if registry.jobs is None:
        raise NoJobs(
            reason="There are no jobs here: a registry in a folder has no queues. Give the --endpoint of a "
            "local cloud, or the --stack of a deployment on AWS."
        )
    return registry.jobs


def find_job(registry: Registry, name: str) -> Job:
    """Raises: JobNotFound, NoJobs."""
    return jobs_of(registry).get(checked_name(registry, name))


def checked_name(registry: Registry, name: str) -> str:
    """Return a name that a job may have. Raises: JobNotFound, NoJobs."""
    jobs_of(registry)
    if not _NAME.fullmatch(name):
        raise JobNotFound(job=name)
    return name


def parts_of(jobs: Jobs, job: Job) -> Sequence[Job]:
    """Return the parts of a job that are there."""

    def read(name: str) -> Job | None:
        try:
            return jobs.get(name)
        except JobNotFound:
            return None

    return [part for part in read_each(read, job.child_ids) if part is not None]
