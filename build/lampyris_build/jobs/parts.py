"""What a parent finds of its parts when it is woken."""

from dataclasses import dataclass

from lampyris.jobs.job import Job, child_id
from lampyris_build.errors import BuildError
from lampyris_build.jobs.worker import Work


@dataclass(eq=False, kw_only=True)
class PartFailed(BuildError):
    """A part of a job did not succeed; `part` names it, and `reason` is its own."""

    code = "part-failed"
    part: str
    reason: str

    def __str__(self) -> str:
        return f"{self.part} failed: {self.reason} Retry the job to have what failed of it done again."


def part(work: Work, number: int, called: str) -> Job:
    """Return a child that has succeeded, counted from 0. Raises: PartFailed, TableUnavailable."""
    child = work.worker.jobs.get(child_id(work.job.id, number))
    if child.state != "succeeded":
        reason = f"it has {child.state}." if child.failure is None else child.failure.detail
        raise PartFailed(part=f"{called} {number + 1}", reason=reason)
    return child
