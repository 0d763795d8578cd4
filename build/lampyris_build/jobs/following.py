"""What a job learns of its build while it runs, and what stops the build in time."""

from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta
from threading import Event, Thread
from time import monotonic
from types import TracebackType
from typing import Final, Self

from lampyris.errors import JobLost, Unavailable
from lampyris.jobs.holding import Hold
from lampyris.jobs.job import Failure, Progress
from lampyris_build.jobs.checkpoints import Checkpoints
from lampyris_build.stages import TimeIsUp

_TELL_EVERY_S: Final = 3.0
_KEEP_EVERY_S: Final = 60.0
_KEEP_SHARE: Final = 0.05  # of the time, at most, goes into keeping checkpoints
# Before its time is up a training needs time for a step, its checkpoint and the upload of that.
_LEAST_MARGIN_S: Final = 3.0
_SAFETY: Final = 3.0
_LAST_WORDS_S: Final = 2.0
_LOOK_EVERY_S: Final = 0.25


class Following:
    """A `stages.Watch` that tells a job of its build, keeps checkpoints, and ends it before its time is up.

    `remaining_s` says how long the worker has; `now` is for people.
    """

    def __init__(
        self,
        hold: Hold,
        checkpoints: Checkpoints,
        *,
        remaining_s: Callable[[], float],
        now: Callable[[], datetime],
        clock: Callable[[], float] = monotonic,
        keep_every_s: float = _KEEP_EVERY_S,
    ) -> None:
        self._hold = hold
        self._checkpoints = checkpoints
        self._remaining_s = remaining_s
        self._now = now
        self._clock = clock
        self._keep_every_s = keep_every_s
        self._lines: list[str] = []
        self._began_s = self._told_s = self._kept_s = self._last_s = clock()
        self._began_at = 0
        self._longest_step_s = self._longest_keep_s = 0.0
        self.stage = ""
        self.has_kept = False

    @property
    def margin_s(self) -> float:
        """How long before the end of its time a training must stop, as far as is known by now."""
        return _LEAST_MARGIN_S + _SAFETY * (self._longest_step_s + self._longest_keep_s)

    def begun(self, stage: str) -> None:
        self.stage = stage
        self._began_s = self._last_s = self._clock()
        self._began_at = -1
        self._tell(Progress(stage=stage))

    def advanced(self, step: int, steps: int, metric: tuple[str, float] | None) -> None:
        """Raises: TimeIsUp, JobLost."""
        now_s = self._clock()
        if self._began_at < 0:  # the time before the first step was not a step's
            self._began_at, self._began_s = step, now_s
        else:
            self._longest_step_s = max(self._longest_step_s, now_s - self._last_s)
        if self._remaining_s() <= self.margin_s:
            raise TimeIsUp
        if now_s - self._told_s >= _TELL_EVERY_S or step == steps:
            ends_at = self._ends_at(step, steps, now_s)
            self._tell(Progress(stage=self.stage, step=step, steps=steps, metric=metric, ends_at=ends_at))
        if now_s - self._kept_s >= max(self._keep_every_s, self._longest_keep_s / _KEEP_SHARE):
            self._keep()
        self._last_s = self._clock()

    def noted(self, line: str) -> None:
        self._lines.append(line)

    def part_done(self) -> None:
        """Raises: TimeIsUp, JobLost."""
        self._keep()
        self._began_at = -1  # what took time now was not a step's
        if self._remaining_s() <= self.margin_s:
            raise TimeIsUp

    def ended(self, stage: str, outcome: str) -> None:
        """Raises: JobLost."""
        if stage != "bundle":  # which says where on this disk it is
            self._lines.append(f"{stage}: {outcome}")
        self._tell(None)
        self._keep()  # what a stage came to is there for the next worker

    def _ends_at(self, step: int, steps: int, now_s: float) -> datetime | None:
        done = step - self._began_at
        if done <= 0:
            return None
        return self._now() + timedelta(seconds=(now_s - self._began_s) / done * (steps - step))

    def _tell(self, progress: Progress | None) -> None:
        self._told_s = self._clock()
        # What cannot be told now is told the next time: the lease decides.
        with suppress(Unavailable):
            self._hold.beat(progress, log=tuple(self._lines))
            self._lines.clear()

    def _keep(self) -> None:
        started_s = self._clock()
        with suppress(Unavailable):
            self.has_kept |= self._checkpoints.keep()
        self._kept_s = self._clock()
        self._longest_keep_s = max(self._longest_keep_s, self._kept_s - started_s)


class LastWords:
    """Lets a job go that would otherwise die with its worker, as a context manager.

    What runs outside of a training can be stopped between its parts, but not within one. Another worker may
    be faster; after too many of them the job has failed, with this reason.
    """

    def __init__(self, hold: Hold, following: Following, *, remaining_s: Callable[[], float]) -> None:
        self._hold = hold
        self._following = following
        self._remaining_s = remaining_s
        self._over = Event()
        self._thread = Thread(target=self._watch, name="last words", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._over.wait(_LOOK_EVERY_S):
            if self._remaining_s() <= _LAST_WORDS_S:
                with suppress(JobLost, Unavailable):
                    self._hold.fail(out_of_time(self._following.stage), for_now=True)
                return


def out_of_time(stage: str) -> Failure:
    """Say why a worker's time came to nothing."""
    where = f"at the stage {stage!r}, in what cannot be interrupted" if stage else "before anything began"
    return Failure(
        code="out-of-time",
        detail=f"The worker's time was up {where}. Give the function more time or memory (its CPU grows "
        'with that), or ask for compute = "batch", which has no limit.',
    )
