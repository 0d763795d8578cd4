"""Jobs with the real machinery and a worker of a few steps; time is the queues' own."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from lampyris.adapters.memory_queues import MemoryQueues
from lampyris.adapters.memory_table import MemoryTable
from lampyris.errors import JobLost, KeyReused
from lampyris.jobs.attending import Attending
from lampyris.jobs.holding import Hold, take
from lampyris.jobs.job import Failure, Progress
from lampyris.jobs.jobs import Asked, Jobs
from lampyris.jobs.slots import Limits, Slots

Work = Callable[[Hold], None]


class World:
    """A deployment in memory. `work` is what a worker does with a job that it holds."""

    def __init__(self, work: Work, limits: Limits | None = None) -> None:
        self.queues = MemoryQueues()
        self.jobs = Jobs(MemoryTable(), self.queues, now=self._now)
        self.notified: list[str] = []
        self.buried: list[str] = []
        self.under_way: list[str] = []
        self.workers = 0
        self.work = work
        self.attending = Attending(
            self.jobs,
            Slots(self.jobs, limits or Limits()),
            work=lambda _: "train",
            duties={
                "notify": lambda job: self.notified.append(job.id),
                "bury": lambda job: self.buried.append(job.id),
            },
            draw=lambda: 0.5,
        )

    def _now(self) -> datetime:
        return datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=self.queues.time_s)

    def step(self) -> bool:
        """Deliver one message; False if none waits."""
        message = self.queues.take()
        if message is None:
            return False
        if message.queue == "attend":
            self.attending.attend(message.wake_up)
        elif message.queue == "train":
            self.workers += 1
            hold = take(
                self.jobs, message.wake_up.job, f"worker {self.workers}", clock=lambda: self.queues.time_s
            )
            if hold is not None:
                self.work(hold)
        return True

    def run(self, most: int = 10_000) -> None:
        for _ in range(most):
            if not self.step():
                return
        raise AssertionError("The messages do not come to an end.")


def asked(key: str = "k", **others: object) -> Asked:
    return Asked(kind="train", by="ana", key=key, spec={"recipe": "digits"}, **others)  # type: ignore[arg-type]


def finish(hold: Hold) -> None:
    hold.succeed(results={"bundle": "jobs/x/bundle"}, summary={"score": 0.9})


def test_job_runs_once_and_ends() -> None:
    world = World(finish)

    job = world.jobs.submit(asked())
    world.run()

    ended = world.jobs.get(job.id)
    assert (ended.state, ended.attempts, ended.duties) == ("succeeded", 1, ())
    assert world.notified == [job.id]


def test_same_key_is_the_same_job_and_another_request_by_it_is_refused() -> None:
    world = World(finish)

    first, second = world.jobs.submit(asked()), world.jobs.submit(asked())
    world.run()

    assert first.id == second.id
    assert world.workers == 1
    with pytest.raises(KeyReused):
        world.jobs.submit(asked(model="other"))


def test_worker_that_dies_is_replaced_after_its_lease_and_may_not_write_any_more() -> None:
    dead: list[Hold] = []

    def work(hold: Hold) -> None:
        if not dead:
            dead.append(hold)  # and no word more
        else:
            finish(hold)

    world = World(work)
    job = world.jobs.submit(asked())
    world.run()

    ended = world.jobs.get(job.id)
    assert (ended.state, ended.attempts) == ("succeeded", 2)
    with pytest.raises(JobLost):
        dead[0].beat()


def test_job_whose_workers_all_die_fails_and_is_buried_with_its_reason() -> None:
    world = World(lambda _: None)

    job = world.jobs.submit(asked())
    world.run()

    ended = world.jobs.get(job.id)
    assert ended.state == "failed"
    assert ended.failure is not None
    assert ended.failure.code == "worker-lost"
    assert ended.attempts == ended.max_attempts
    assert world.buried == [job.id]


def test_work_longer_than_an_invocation_is_handed_over_until_it_ends() -> None:
    def work(hold: Hold) -> None:
        step = int(hold.job.checkpoint or "0")
        hold.beat(Progress(step=step, steps=20))
        if step == 20:
            finish(hold)
            return
        hold.checkpoint(str(step + 1))
        hold.hand_over("train")

    world = World(work)
    job = world.jobs.submit(asked())
    world.run()

    ended = world.jobs.get(job.id)
    assert (ended.state, ended.attempts, ended.checkpoint) == ("succeeded", 21, "20")
    assert world.workers == 21


def test_failure_that_may_pass_is_tried_again() -> None:
    def work(hold: Hold) -> None:
        if hold.job.attempts < 3:
            hold.fail(Failure(code="store-unavailable", detail="Later."), for_now=True)
        else:
            finish(hold)

    world = World(work)
    job = world.jobs.submit(asked())
    world.run()

    assert world.jobs.get(job.id).state == "succeeded"


def test_parent_holds_no_worker_while_its_children_run_and_gathers_what_they_found() -> None:
    def work(hold: Hold) -> None:
        if hold.job.kind == "fold":
            hold.succeed(results={}, summary={"score": hold.job.spec["fold"]})
        elif hold.job.children == 0:
            folds = [
                Asked(kind="fold", by="ana", key=f"fold {fold}", spec={"fold": fold}) for fold in range(5)
            ]
            hold.wait_for(folds)
        else:
            found = [world.jobs.get(child).summary["score"] for child in hold.job.child_ids]
            hold.succeed(results={}, summary={"sum": sum(found)})

    world = World(work)
    job = world.jobs.submit(asked())
    world.run()

    assert world.jobs.get(job.id).summary == {"sum": 10}
    assert world.jobs.get(job.id).attempts == 2
    assert {world.jobs.get(child).attempts for child in world.jobs.get(job.id).child_ids} == {1}


def test_no_more_jobs_of_a_tenant_are_under_way_than_may_be() -> None:
    under_way: set[str] = set()
    most = 0

    def work(hold: Hold) -> None:
        nonlocal most
        under_way.add(hold.job.id)
        most = max(most, len(under_way))
        if hold.job.checkpoint is None:
            hold.checkpoint("half")
            hold.hand_over("train")
        else:
            under_way.discard(hold.job.id)
            finish(hold)

    world = World(work, Limits(by_tenant=2))
    jobs = [world.jobs.submit(asked(key=str(number))) for number in range(20)]
    world.run()

    assert {world.jobs.get(job.id).state for job in jobs} == {"succeeded"}
    assert most == 2


def test_cancelled_job_stops_its_worker_and_can_be_retried() -> None:
    holds: list[Hold] = []

    def work(hold: Hold) -> None:
        holds.append(hold)
        if hold.job.attempts == 1:
            world.jobs.cancel(hold.job.id)
            with pytest.raises(JobLost):
                hold.beat()
        else:
            finish(hold)

    world = World(work)
    job = world.jobs.submit(asked())
    world.run()
    assert world.jobs.get(job.id).state == "cancelled"

    world.jobs.retry(job.id)
    world.run()

    assert world.jobs.get(job.id).state == "succeeded"
