"""What keeps jobs going: every wake-up looks at one job, does what it needs next, and sends the next wake-up.

A job has one chain of wake-ups from when it is submitted until it has ended and all its duties are done. Each
comes a lease after the one before, and says which beat the job had then: a job in whose name nothing happened
since has lost its worker, or its message.
Source: the lease by observation is that of the DynamoDB Lock Client (record version numbers), which needs no
two clocks to agree.
"""

import random
from collections.abc import Callable, Mapping, Sequence

import msgspec

from lampyris.errors import JobNotFound, Unavailable
from lampyris.jobs import transitions
from lampyris.jobs.holding import LEASE_S
from lampyris.jobs.job import Job
from lampyris.jobs.jobs import Jobs
from lampyris.jobs.slots import Slots
from lampyris.jobs.wake_ups import LONGEST_DELAY_S, QueueName, WakeUp

_SHARDS_AT_ONCE = 16

# Does what its name says for a job that has ended; may be done twice. Raises: Unavailable to be tried again.
Duty = Callable[[Job], None]


class Attending:
    """`work` says which queue the workers of a job listen to; `duties` are done when it has ended, by name.

    `lease_s` is how long a job may show no sign of life.
    """

    def __init__(
        self,
        jobs: Jobs,
        slots: Slots,
        *,
        work: Callable[[Job], QueueName],
        duties: Mapping[str, Duty],
        lease_s: int = LEASE_S,
        shards_at_once: int = _SHARDS_AT_ONCE,
        draw: Callable[[], float] = random.random,
    ) -> None:
        self._jobs = jobs
        self._slots = slots
        self._work = work
        self._duties = {
            transitions.RELEASE: self._release,
            transitions.TELL_PARENT: self._tell_parent,
        } | dict(duties)
        self._lease_s = lease_s
        self._shards_at_once = shards_at_once
        self._draw = draw

    def attend(self, message: WakeUp) -> None:
        """Look at the job of a wake-up.

        Raises: TableUnavailable, QueueUnavailable; the message must come again then.
        """
        try:
            job = self._jobs.get(message.job)
        except JobNotFound:
            return
        if message.wake is not None and message.wake < job.wakes:
            return  # delivered again: the chain is further
        delay_s = self._lease_s
        if job.ended:
            job = self._do_duties(job)
            if not job.duties:
                return
        elif job.parent is not None and self._is_over(job.parent):
            self._jobs.cancel(job.id)
            return
        else:
            waits_for_slot = not self._further(job, message)
            if waits_for_slot:
                delay_s = self._later(job)
        if message.wake is None:
            return
        job = self._jobs.get(job.id)
        number = message.wake + 1
        if job.ended:
            delay_s = self._later(job) if job.duty_tries else 0
        self._jobs.queues.send("attend", WakeUp(job=job.id, wake=number, seen=job.beat), delay_s=delay_s)
        # Only now: a chain may fork for a moment, but never ends.
        self._jobs.change(job.id, lambda one: msgspec.structs.replace(one, wakes=max(one.wakes, number)))

    def _further(self, job: Job, message: WakeUp) -> bool:
        """Do what a job needs next; False if it waits for a slot."""
        stands_still = message.seen == job.beat
        if job.waits:
            self._look_at_parts(job, stands_still=stands_still)
            return True
        if job.worker is not None:
            if not stands_still:
                return True
            seen = job.beat
            job = self._jobs.change(job.id, lambda one: transitions.lost(one, seen, self._jobs.now()))
            if job.ended or job.worker is not None:
                return True
        elif job.attempts > 0 and not stands_still and job.fruitless == 0 and message.wake is not None:
            return True  # handed over: the next worker's message is on its way
        if not self._slots.acquire(job):
            return False
        self._jobs.queues.send(self._work(job), WakeUp(job=job.id), delay_s=self._back_off(job))
        return True

    def _look_at_parts(self, job: Job, *, stands_still: bool) -> None:
        self._call(self._slots.release(job))
        if job.shards is not None:
            self._send_shards(job, again=stands_still)
            return
        children = [self._find(child) for child in job.child_ids]
        if all(child is not None and child.ended for child in children):
            woken = self._jobs.change(job.id, lambda one: transitions.woken(one, self._jobs.now()))
            self._jobs.look(woken)
        elif stands_still:
            for child in children:  # each has a chain of its own, unless whoever made it died before
                if child is not None and not child.ended and child.wakes == 0:
                    self._jobs.wake(child)

    def _send_shards(self, job: Job, *, again: bool) -> None:
        """Give shards to the queue, so that some are under way; or once more, if nothing came of them."""
        shards = job.shards
        assert shards is not None
        if shards.is_complete:
            woken = self._jobs.change(job.id, lambda one: transitions.woken(one, self._jobs.now()))
            self._jobs.look(woken)
            return
        if again or shards.sent == 0:
            for shard in shards.outstanding(self._shards_at_once):
                self._jobs.queues.send("batch", WakeUp(job=job.id, shard=shard))
        fill = min(shards.count, shards.finished + self._shards_at_once)
        if fill > shards.sent:
            for shard in range(shards.sent, fill):
                self._jobs.queues.send("batch", WakeUp(job=job.id, shard=shard))
            self._jobs.change(job.id, lambda one: _sent(one, fill))

    def _do_duties(self, job: Job) -> Job:
        """Do what is left to do for a job that has ended; what fails is left for the next wake-up."""
        for name in job.duties:
            try:
                self._duties[name](job)
            except Unavailable as error:
                told = f"{name}: {error}"
                return self._jobs.change(job.id, lambda one: transitions.duty_failed(one, name, told))  # noqa: B023 - called at once
            job = self._jobs.change(job.id, lambda one: transitions.duty_done(one, name))  # noqa: B023 - as above
        return job

    def _release(self, job: Job) -> None:
        self._call(self._slots.release(job))

    def _tell_parent(self, job: Job) -> None:
        assert job.parent is not None
        self._jobs.queues.send("attend", WakeUp(job=job.parent))

    def _call(self, jobs: Sequence[str]) -> None:
        for one in jobs:
            self._jobs.queues.send("attend", WakeUp(job=one))

    def _find(self, job: str) -> Job | None:
        try:
            return self._jobs.get(job)
        except JobNotFound:
            return None

    def _is_over(self, job: str) -> bool:
        found = self._find(job)
        return found is None or found.ended

    def _back_off(self, job: Job) -> int:
        """How long to wait before another attempt: twice as long after each fruitless one, with full jitter.

        Source: Brooker 2015, "Exponential backoff and jitter" (AWS Architecture Blog).
        """
        if job.fruitless == 0:
            return 0
        return int(self._draw() * min(LONGEST_DELAY_S, 2**job.fruitless))

    def _later(self, job: Job) -> int:
        """How long until a job that waits for a slot asks by itself; most are called before."""
        most = min(LONGEST_DELAY_S, self._lease_s * 2 ** min(job.wakes, 5))
        return int(most * (0.5 + self._draw() / 2))


def _sent(job: Job, count: int) -> Job:
    if job.shards is None or job.shards.sent >= count:
        return job
    return msgspec.structs.replace(job, shards=msgspec.structs.replace(job.shards, sent=count))
