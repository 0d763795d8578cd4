"""What keeps jobs going: every wake-up looks at one job, and does what it needs next.

A job has one chain of wake-ups from before it is made until it has ended and all its duties are done. Each
comes a lease after the one before, and says which beat the job had then: a job in whose name nothing happened
since has lost its worker, or its message. A chain goes on before anything is done for the job, so that
nothing that happens then can end it. Other wake-ups only save time.
Source: the lease by observation is that of the DynamoDB Lock Client (record version numbers), which needs no
two clocks to agree.
"""

import logging
import random
from collections.abc import Callable, Iterable, Mapping

from lampyris.errors import JobNotFound, LampyrisError, NotificationFailed
from lampyris.jobs import transitions
from lampyris.jobs.job import Job
from lampyris.jobs.jobs import Jobs
from lampyris.jobs.slots import Slots
from lampyris.jobs.wake_ups import LEASE_S, LONGEST_DELAY_S, QueueName, WakeUp

_log = logging.getLogger(__name__)
_SHARDS_AT_ONCE = 16
# How often the time until the next wake-up is doubled while nothing happens: of a job whose worker may die,
# and of one that has ended.
_DOUBLED, _DOUBLED_AT_END = 2, 5

# Machines are called again after so many wake-ups without a sign of life, some 20 minutes: they take ten to
# start, and each call starts others.
_MACHINES_START = 8

# Does what its name says for a job that has ended; may be done twice. Whatever it raises, it is tried again.
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
            transitions.STOP_PARTS: self._stop_parts,
            transitions.TELL_PARENT: self._tell_parent,
        } | dict(duties)
        self._lease_s = lease_s
        self._shards_at_once = shards_at_once
        self._draw = draw

    def attend(self, message: WakeUp) -> None:
        """Look at the job of a wake-up; nothing happens if it is gone.

        Raises: TableUnavailable, QueueUnavailable; the message must come again then.
        """
        try:
            self._attend(message)
        except JobNotFound:
            return

    def _attend(self, message: WakeUp) -> None:
        still = 0
        if message.wake is None:
            job = self._jobs.get(message.job)
        else:
            wake, token = message.wake, message.token
            job = self._jobs.change(message.job, lambda one: transitions.advanced(one, wake, token))
            if not transitions.is_latest(job, wake, token):
                return
            still = message.still + 1 if message.seen == job.beat else 0
            doubled = min(still, _DOUBLED_AT_END if job.ended else _DOUBLED)
            delay_s = min(LONGEST_DELAY_S, self._lease_s * 2**doubled)
            self._jobs.keep_going(job, wake=wake + 1, still=still, delay_s=delay_s)
        if job.ended:
            self._do_duties(job)
        elif job.parent is not None and self._is_over(job.parent):
            self._jobs.change(
                job.id, lambda one: one if one.ended else transitions.cancelled(one, self._jobs.now())
            )
            self._jobs.look(job)
        elif job.waits:
            self._look_at_parts(job, still)
        else:
            self._look_at_worker(job, still)

    def _look_at_worker(self, job: Job, still: int) -> None:
        if job.worker is not None:
            if still == 0:
                return
            seen = job.beat
            job = self._jobs.change(job.id, lambda one: transitions.lost(one, seen, self._jobs.now()))
            if job.worker is not None:
                return
            if job.ended:
                self._do_duties(job)
                return
        if job.called:
            patience = _MACHINES_START if job.compute == "batch" else 1
            if still < patience or not _is_power_of_two(still):
                return  # the message to its worker is on its way, and the more so the longer the queue is
        else:
            if not self._slots.acquire(job):
                return
            generation = job.generation
            job = self._jobs.change(job.id, lambda one: transitions.called(one, generation))
            if not job.called or job.generation != generation:
                return
        self._jobs.queues.send(self._work(job), WakeUp(job=job.id), delay_s=self._back_off(job))

    def _look_at_parts(self, job: Job, still: int) -> None:
        if job.called and not job.needs_slot:
            self._release(job)
            # Once is enough; and who is called again later asks for slots again.
            job = self._jobs.change(job.id, lambda one: transitions.not_called(one, job.generation))
        if job.shards is not None:
            self._look_at_shards(job, still)
        else:
            self._look_at_children(job)

    def _look_at_children(self, job: Job) -> None:
        begins_again = job.state == "queued"
        all_ended = True
        cost_usd = 0.0
        # The last come first, of which most are under way: one that is, is enough to know.
        for child in map(self._find, reversed(job.child_ids)):
            if child is None:
                continue
            cost_usd += child.cost_usd
            if child.state == "succeeded":
                continue
            # Who cancels a child saw that its parent had ended, but this goes on.
            if child.state == "cancelled" or (begins_again and child.state == "failed"):
                self._jobs.retry(child.id)
                all_ended = False
            elif not child.ended:
                all_ended = False
                if not begins_again:
                    break
        if begins_again:
            self._jobs.change(job.id, lambda one: transitions.parts_begun(one, self._jobs.now()))
            self._jobs.look(job)
        elif all_ended:
            self._wake(job, cost_usd)

    def _look_at_shards(self, job: Job, still: int) -> None:
        """Give shards to the queue, so that some are under way; or once more, if nothing came of them."""
        shards = job.shards
        assert shards is not None
        if shards.is_complete:
            self._wake(job)
            return
        missed = still > 1 and _is_power_of_two(still)
        if missed:
            seen = job.beat
            job = self._jobs.change(
                job.id, lambda one: transitions.shards_missed(one, seen, self._jobs.now())
            )
            if job.ended:
                self._do_duties(job)
                return
        begins_again = job.state == "queued"
        if missed or begins_again:
            self._send_shards(job, shards.outstanding(self._shards_at_once))
        if begins_again:
            self._jobs.change(job.id, lambda one: transitions.parts_begun(one, self._jobs.now()))
        fill = min(shards.count, shards.finished + self._shards_at_once)
        if fill > shards.sent:
            self._send_shards(job, range(shards.sent, fill))
            self._jobs.change(job.id, lambda one: transitions.shards_sent(one, fill))

    def _send_shards(self, job: Job, shards: Iterable[int]) -> None:
        for shard in shards:
            self._jobs.queues.send("batch", WakeUp(job=job.id, shard=shard))

    def _wake(self, job: Job, parts_usd: float = 0.0) -> None:
        woken = self._jobs.change(
            job.id, lambda one: transitions.woken(one, self._jobs.now(), parts_usd=parts_usd)
        )
        self._jobs.look(woken)

    def _do_duties(self, job: Job) -> None:
        """Do what is left to do for a job that has ended; what fails is left for the next wake-up."""
        generation = job.generation
        told: dict[str, str] = {}
        for name in job.duties:
            try:
                self._duties[name](job)
            except Exception as error:  # noqa: BLE001 - no duty may keep the others, or the chain, from going on
                is_ours = isinstance(error, LampyrisError)
                _log.warning("The duty %s of job %s failed: %s", name, job.id, error, exc_info=not is_ours)
                told[name] = _said(error)
            else:
                self._jobs.change(job.id, lambda one: transitions.duty_done(one, name, generation))  # noqa: B023 - called at once
        if told:
            self._jobs.change(job.id, lambda one: transitions.duties_failed(one, told, generation))

    def _release(self, job: Job) -> None:
        self._look(self._slots.release(job))

    def _stop_parts(self, job: Job) -> None:
        self._look(job.child_ids)  # who attends to them finds that their parent is over

    def _tell_parent(self, job: Job) -> None:
        assert job.parent is not None
        self._look([job.parent])

    def _look(self, jobs: Iterable[str]) -> None:
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


def _said(error: Exception) -> str:
    """Say in a job's log why a duty failed; what a service said of itself is for the function's."""
    if isinstance(error, NotificationFailed):
        return str(error)
    return error.code if isinstance(error, LampyrisError) else type(error).__name__


def _is_power_of_two(count: int) -> bool:
    return count > 0 and count & (count - 1) == 0
