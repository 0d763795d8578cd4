"""What a worker is, and what it has while it does one job."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from lampyris.domain.store import Store
from lampyris.jobs.holding import Hold
from lampyris.jobs.job import Job
from lampyris.jobs.jobs import Jobs
from lampyris.jobs.wake_ups import QueueName
from lampyris_build.jobs.checkpoints import Checkpoints
from lampyris_build.jobs.following import Following


@dataclass(frozen=True, kw_only=True)
class Worker:
    """`bucket` is the name of what `store` opens, `scratch` a folder of the worker's own.

    `remaining_s` says how long it has; whoever listens to `queue` goes on after that.
    """

    jobs: Jobs
    store: Store
    bucket: str
    scratch: Path
    remaining_s: Callable[[], float]
    queue: QueueName = "train"


@dataclass(frozen=True, kw_only=True)
class Work:
    """A job in a worker's hands. Its files are in `folder`; `training` is what checkpoints keep of them."""

    hold: Hold
    worker: Worker
    checkpoints: Checkpoints
    following: Following
    folder: Path

    @property
    def job(self) -> Job:
        return self.hold.job

    @property
    def out(self) -> Path:
        """Where the bundle is built."""
        return self.folder / "bundle"

    @property
    def training(self) -> Path:
        """Where `pipeline.build` keeps checkpoints of what it puts at `out`."""
        return training_of(self.out)

    @property
    def prefix(self) -> str:
        """Below what this worker's files stand in the bucket."""
        return f"jobs/{self.job.id}/{self.hold.generation}/"

    @property
    def console(self) -> Console:
        return Console(quiet=True)


def training_of(out: Path) -> Path:
    return out.with_name(f"{out.name}.training")
