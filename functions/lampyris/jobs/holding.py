"""A worker's hold on a job: what it writes counts only while the job is still its own."""

from collections.abc import Callable, Mapping, Sequence
from threading import Event, Lock, Thread
from types import TracebackType
from typing import Any, Self

from lampyris.errors import JobLost, JobNotFound, Unavailable
from lampyris.jobs import transitions
from lampyris.jobs.job import Failure, Job, Progress, Shards
from lampyris.jobs.jobs import Asked, Jobs
from lampyris.jobs.wake_ups import BEAT_S, QueueName, WakeUp


class Hold:
    """What `take` gives a worker. Every method raises JobLost once the job is another's, or has ended.

    `clock` counts seconds, `rate_usd_per_ms` is what this worker costs.
    """

    def __init__(self, jobs: Jobs, job: Job, *, clock: Callable[[], float], rate_usd_per_ms: float) -> None:
        assert job.worker is not None
        self._jobs = jobs
        self._worker = job.worker
        self._generation = job.generation
        self._clock = clock
        self._rate = rate_usd_per_ms
        self._since_s = clock()
        self._before_ms, self._before_usd = job.billed_ms, job.cost_usd
        self._lock = Lock()
        self._ends = ""  # how, once this holder has tried to lay the job down
        self.job = job

    @property
    def generation(self) -> int:
        """The fencing token: files that this worker writes stand below it."""
        return self._generation

    def beat(self, progress: Progress | None = None, log: tuple[str, ...] = ()) -> None:
        """Show a sign of life, and how far the job is. Raises: JobLost, TableUnavailable."""
        self._change(lambda job: self._billed(job, progress, log))

    def checkpoint(self, key: str) -> None:
        """Let the next worker go on from what stands at `key`, which is whole. Raises: as `beat`."""
        self._change(lambda job: transitions.checkpointed(self._billed(job), key, self._jobs.now()))

    def hand_over(self, queue: QueueName) -> None:
        """Let go, and wake the next worker. Raises: as `beat`, QueueUnavailable."""
        self._end("hand over", lambda job: transitions.handed_over(self._billed(job), self._jobs.now()))
        if self.job.ended:
            self._jobs.look(self.job)
        else:
            self._jobs.queues.send(queue, WakeUp(job=self.job.id))

    def wait_for(self, children: Sequence[Asked]) -> None:
        """Let go until the children, at least one, have ended; those that are not there yet are made here.

        Called again, it is with all children, those of before included: what has succeeded stays as it is. So
        what a child is asked follows from what the job is asked, and from nothing that an attempt has chosen.
        Raises: as `hand_over`; KeyReused if a child stands that was asked something else.
        """
        assert children
        for number, asked in enumerate(children):
            self._jobs.submit_child(self.job, number, asked)
        count, gang = len(children), all(child.kind == "member" for child in children)
        self._end(
            "wait",
            lambda job: transitions.waiting(self._billed(job), self._jobs.now(), children=count, gang=gang),
        )
        self._jobs.look(self.job)

    def wait_for_shards(self, shards: Shards) -> None:
        """Let go until the shards are done, which are given to the queue as others finish."""
        self._end("wait", lambda job: transitions.waiting(self._billed(job), self._jobs.now(), shards=shards))
        self._jobs.look(self.job)

    def succeed(
        self,
        *,
        results: Mapping[str, str],
        summary: Mapping[str, Any],
        duties: tuple[str, ...] = (),
    ) -> None:
        """End the job well: `results` are keys in the store, by what they are. Raises: as `hand_over`."""
        self._end(
            "succeed",
            lambda job: transitions.succeeded(
                self._billed(job), self._jobs.now(), results=results, summary=summary, duties=duties
            ),
        )
        self._jobs.look(self.job)

    def fail(self, failure: Failure, *, for_now: bool = False) -> None:
        """End the job, or this attempt if the reason may pass. Raises: as `hand_over`."""
        become = transitions.failed_for_now if for_now else transitions.failed
        log = (f"{failure.code}: {failure.detail}",)
        self._end("fail", lambda job: become(self._billed(job, log=log), failure, self._jobs.now()))
        self._jobs.look(self.job)

    def _billed(self, job: Job, progress: Progress | None = None, log: tuple[str, ...] = ()) -> Job:
        """Say what was spent since the job was taken; said twice, it is spent once."""
        spent_ms = (self._clock() - self._since_s) * 1000
        return transitions.beaten(
            job,
            now=self._jobs.now(),
            progress=progress,
            log=log,
            billed_ms=self._before_ms + spent_ms,
            cost_usd=self._before_usd + spent_ms * self._rate,
        )

    def _change(self, transition: transitions.Transition) -> None:
        def checked(job: Job) -> Job:
            transitions.check_held(job, self._worker, self._generation)
            return transition(job)

        self._write(checked)

    def _end(self, how: str, transition: transitions.Transition) -> None:
        """Change the job for the last time; may be called again if it is not known whether that happened.

        Raises: JobLost also if this holder has laid it down in another way: a second thread may have.
        """

        def checked(job: Job) -> Job:
            # Only the holder lays a job down without raising its generation: its answer was lost.
            if self._ends == how and job.worker is None and job.generation == self._generation:
                return job
            transitions.check_held(job, self._worker, self._generation)
            self._ends = how
            return transition(job)

        self._write(checked)

    def _write(self, transition: transitions.Transition) -> None:
        with self._lock:
            try:
                self.job = self._jobs.change(self.job.id, transition)
            except JobNotFound as error:
                raise JobLost(job=self.job.id) from error


def take(
    jobs: Jobs, job: str, worker: str, *, clock: Callable[[], float], rate_usd_per_ms: float = 0.0
) -> Hold | None:
    """Take a job for a worker, whose name nobody else has; None if there is nothing to do for it.

    Raises: TableUnavailable.
    """
    try:
        taken = jobs.change(job, lambda one: transitions.claimed(one, worker, jobs.now()))
    except (JobLost, JobNotFound):
        return None
    return Hold(jobs, taken, clock=clock, rate_usd_per_ms=rate_usd_per_ms)


class Beating:
    """Keeps a hold alive from a thread, as a context manager; `is_lost` says that the job is another's now.

    A table that cannot be reached for a while is tried again: the lease decides.
    """

    def __init__(self, hold: Hold, *, every_s: float = BEAT_S) -> None:
        self._hold = hold
        self._every_s = every_s
        self._over = Event()
        self._lost = Event()
        self._thread = Thread(target=self._beat, name="beat", daemon=True)

    @property
    def is_lost(self) -> bool:
        return self._lost.is_set()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join()

    def _beat(self) -> None:
        while not self._over.wait(self._every_s):
            try:
                self._hold.beat()
            except JobLost:
                self._lost.set()
                return
            except Unavailable:
                continue
