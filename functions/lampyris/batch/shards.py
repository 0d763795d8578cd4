"""A shard's message: predict it, write down what came of it, and mark it done in the job's document.

Delivered twice, or tried by two at once, a shard has one outcome: the first that stands. It counts once.
If the input was overwritten, that ends the job: no answers are of two writings.
"""

import random
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime

import msgspec

from lampyris.batch.outcomes import stand, standing
from lampyris.batch.plan import Outcome, Plan, Plans
from lampyris.batch.predicting import Predicting
from lampyris.domain.manifest import Manifest
from lampyris.errors import (
    Conflict,
    InputChanged,
    InvalidRequest,
    JobNotFound,
    LampyrisError,
    NotFound,
    ObjectExists,
    StoreUnavailable,
)
from lampyris.jobs import transitions
from lampyris.jobs.job import Failure, Job, Progress
from lampyris.jobs.jobs import Jobs
from lampyris.jobs.wake_ups import WakeUp
from lampyris.serving.resolver import Resolver

# As many shards of a job are under way at once.
SHARDS_AT_ONCE = 16
# How often a shard is tried whose workers die, or fail for a reason that may pass. The store's being away is
# none that counts.
_TRIES = 3
_BACK_OFF_S, _LONGEST_BACK_OFF_S = 4, 300


class Shards(msgspec.Struct, frozen=True, kw_only=True):
    """What answers messages of shards."""

    jobs: Jobs
    plans: Plans
    resolver: Resolver
    predicting: Predicting
    rate_usd_per_ms: float
    at_once: int = SHARDS_AT_ONCE
    draw: Callable[[], float] = random.random

    def answer(self, message: WakeUp, *, deadline_s: float, received: int = 1) -> None:
        """Do what a shard's message asks for. `received` is how often it has come.

        Raises: TableUnavailable, QueueUnavailable, StoreUnavailable: the message must come again then.
        """
        number = message.shard
        assert number is not None
        try:
            job = self.jobs.get(message.job)
        except JobNotFound:
            return
        if job.shards is None or not job.waits or job.ended or job.checkpoint is None:
            return
        if job.shards.is_done(number):
            self._go_on(job)
            return
        clock = self.predicting.clock
        began_s = clock()
        tries = 0
        try:
            plan = self.plans.plan(job.checkpoint)
            outcome = standing(self.predicting.store, plan, number)
            if outcome is None:
                # Nobody came back from the first try, or it failed: from now on tries are counted.
                if message.still or job.fruitless or received > 1:
                    tries = self._count_try(plan, number)
                outcome = self._outcome(plan, number, deadline_s, tries)
        except StoreUnavailable:
            outcome = None
        if outcome is None:
            most_s = min(_LONGEST_BACK_OFF_S, _BACK_OFF_S * 2 ** min(message.still, 10))
            again = WakeUp(job=job.id, shard=number, still=message.still + 1)
            self.jobs.queues.send("batch", again, delay_s=int(most_s * (1 + self.draw()) / 2))
            return
        if outcome.code == InputChanged.code:
            self._fail(job, Failure(code=outcome.code, detail=outcome.detail))
        else:
            self._mark(job, outcome, (clock() - began_s) * 1000)

    def _outcome(self, plan: Plan, number: int, deadline_s: float, tries: int) -> Outcome | None:
        """Return what comes of a shard, which then stands; None if it should be tried once more."""
        shard = self.plans.shard(plan, number)
        nothing = Outcome(shard=number, first_row=shard.first_row, rows=shard.rows, failed_rows=shard.rows)
        if tries >= _TRIES:
            detail = f"{tries} workers died over this shard, or had no time left: give the function more "
            lost = msgspec.structs.replace(
                nothing, code="worker-lost", detail=detail + "memory, or the job a smaller shard_rows."
            )
            return stand(self.predicting.store, plan, lost)
        try:
            manifest = self._manifest(plan)
            outcome = self.predicting.predict(plan, number, shard, manifest, deadline_s)
        except StoreUnavailable:
            raise
        except Exception as error:  # noqa: BLE001 - onnxruntime and Pillow raise classes of their own
            final = isinstance(error, (InvalidRequest, NotFound, Conflict))
            if not final and tries + 1 < _TRIES:
                return None
            code = error.code if isinstance(error, LampyrisError) else "internal-error"
            detail = str(error) if isinstance(error, LampyrisError) else type(error).__name__
            outcome = msgspec.structs.replace(nothing, code=code, detail=detail[:2000])
        return stand(self.predicting.store, plan, outcome)

    def _manifest(self, plan: Plan) -> Manifest:
        return self.resolver.resolve(plan.model, str(plan.version))

    def _count_try(self, plan: Plan, number: int) -> int:
        """Count a try of a shard, and return how many there were before it, with the first."""
        store, prefix = self.predicting.store, plan.tries_prefix(number)
        tries = sum(1 for _ in store.list(prefix))
        with suppress(ObjectExists):  # another counts it
            store.create(f"{prefix}{tries:02}", b"")
        return tries + 1

    def _fail(self, job: Job, failure: Failure) -> None:
        """End a job, whose shard is not done: if it is retried, it fails with the same."""

        def failed(one: Job) -> Job:
            return transitions.failed(one, failure, self.jobs.now()) if one.waits else one

        self.jobs.look(self.jobs.change(job.id, failed))

    def _mark(self, job: Job, outcome: Outcome, spent_ms: float) -> None:
        """Mark a shard done, give the next ones to the queue, and wake the job if it was the last."""
        to_send = range(0)

        def marked(one: Job) -> Job:
            nonlocal to_send
            after = transitions.shard_done(
                one,
                outcome.shard,
                self.jobs.now(),
                rows=outcome.rows,
                failed_rows=outcome.failed_rows,
                billed_ms=spent_ms,
                cost_usd=spent_ms * self.rate_usd_per_ms,
            )
            if after is one or one.shards is None or after.shards is None:
                return one
            fill = min(after.shards.count, after.shards.finished + self.at_once)
            to_send = range(one.shards.sent, fill)
            progress = _progress(one, after.shards.finished, after.shards.count, self.jobs.now())
            return transitions.shards_sent(msgspec.structs.replace(after, progress=progress), fill)

        after = self.jobs.change(job.id, marked)
        for number in to_send:
            self.jobs.queues.send("batch", WakeUp(job=job.id, shard=number))
        self._go_on(after)

    def _go_on(self, job: Job) -> None:
        if job.shards is not None and job.shards.is_complete and not job.ended:
            self.jobs.look(job)


def _progress(job: Job, finished: int, count: int, now: datetime) -> Progress:
    """Say how far a job is, and when it will end if it goes on as it did so far."""
    ends_at = None
    if job.started_at is not None:
        ends_at = now + (now - job.started_at) * ((count - finished) / finished)
    return Progress(stage="predict", step=finished, steps=count, unit="shards", ends_at=ends_at)
