"""What becomes of a job, from when it is asked for until nothing is left to do for it."""

from datetime import UTC, datetime
from typing import Any

import pytest

from lampyris.adapters.memory_queues import MemoryQueues
from lampyris.adapters.memory_table import MemoryTable
from lampyris.errors import JobLost, JobTooLarge, KeyReused, StoreUnavailable
from lampyris.jobs.attending import Attending
from lampyris.jobs.holding import Hold, take
from lampyris.jobs.job import Failure, Job, Progress
from lampyris.jobs.jobs import Asked, Jobs
from lampyris.jobs.slots import Limits, Slots
from lampyris.jobs.table import Item
from lampyris.jobs.transitions import called, failed, succeeded
from lampyris.jobs.wake_ups import WakeUp


def asked(key: str = "k", **others: Any) -> Asked:
    return Asked(kind="train", by="ana", key=key, spec={"recipe": "digits"}, **others)


def finish(hold: Hold) -> None:
    hold.succeed(results={"bundle": "jobs/x/bundle"}, summary={"score": 0.9})


def test_job_runs_once_and_ends(worlds: Any) -> None:
    world = worlds(work=finish)

    job = world.jobs.submit(asked())
    world.run()

    ended = world.jobs.get(job.id)
    assert (ended.state, ended.attempts, ended.duties) == ("succeeded", 1, ())
    assert world.notified == [(job.id, "succeeded")]


def test_same_key_is_the_same_job_and_another_request_by_it_is_refused(worlds: Any) -> None:
    world = worlds(work=finish)

    first, second = world.jobs.submit(asked()), world.jobs.submit(asked())
    world.run()

    assert first.id == second.id
    assert len(world.taken) == 1
    with pytest.raises(KeyReused):
        world.jobs.submit(asked(model="other"))


def test_worker_that_dies_is_replaced_after_its_lease_and_may_not_write_any_more(worlds: Any) -> None:
    dead: list[Hold] = []

    def work(hold: Hold) -> None:
        if not dead:
            dead.append(hold)  # and no word more
        else:
            finish(hold)

    world = worlds(work=work)
    job = world.jobs.submit(asked())
    world.run()

    ended = world.jobs.get(job.id)
    assert (ended.state, ended.attempts) == ("succeeded", 2)
    with pytest.raises(JobLost):
        dead[0].beat()


def test_job_whose_workers_all_die_fails_and_is_buried_with_its_reason(worlds: Any) -> None:
    world = worlds(work=lambda _: None)

    job = world.jobs.submit(asked())
    world.run()

    ended = world.jobs.get(job.id)
    assert ended.state == "failed"
    assert ended.failure is not None
    assert ended.failure.code == "worker-lost"
    assert ended.attempts == ended.max_attempts
    assert world.buried == [job.id]


def test_work_longer_than_an_invocation_is_handed_over_until_it_ends(worlds: Any) -> None:
    def work(hold: Hold) -> None:
        step = int(hold.job.checkpoint or "0")
        hold.beat(Progress(step=step, steps=20))
        if step == 20:
            finish(hold)
            return
        hold.checkpoint(str(step + 1))
        hold.hand_over("train")

    world = worlds(work=work)
    job = world.jobs.submit(asked())
    world.run()

    ended = world.jobs.get(job.id)
    assert (ended.state, ended.attempts, ended.checkpoint) == ("succeeded", 21, "20")
    assert len(world.taken) == 21


def test_failure_that_may_pass_is_tried_again(worlds: Any) -> None:
    def work(hold: Hold) -> None:
        if hold.job.attempts < 3:
            hold.fail(Failure(code="store-unavailable", detail="Later."), for_now=True)
        else:
            finish(hold)

    world = worlds(work=work)
    job = world.jobs.submit(asked())
    world.run()

    assert world.jobs.get(job.id).state == "succeeded"


def test_no_more_jobs_of_a_tenant_are_under_way_than_may_be(worlds: Any) -> None:
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

    world = worlds(work=work, limits=Limits(by_tenant=2))
    jobs = [world.jobs.submit(asked(key=str(number))) for number in range(20)]
    world.run()

    assert {world.jobs.get(job.id).state for job in jobs} == {"succeeded"}
    assert most == 2


def test_cancelled_job_stops_its_worker_and_can_be_retried(worlds: Any) -> None:
    holds: list[Hold] = []

    def work(hold: Hold) -> None:
        holds.append(hold)
        if hold.job.attempts == 1:
            world.jobs.cancel(hold.job.id)
            with pytest.raises(JobLost):
                hold.beat()
        else:
            finish(hold)

    world = worlds(work=work)
    job = world.jobs.submit(asked())
    world.run()
    assert world.jobs.get(job.id).state == "cancelled"

    world.jobs.retry(job.id)
    world.run()

    assert world.jobs.get(job.id).state == "succeeded"


def test_key_makes_the_same_job_for_one_caller_only(worlds: Any) -> None:
    world = worlds(work=finish)

    first = world.jobs.submit(asked())
    second = world.jobs.submit(Asked(kind="train", by="ben", key="k", spec={}))

    assert first.id != second.id


def test_what_a_job_cannot_hold_is_refused_when_it_is_asked_for_and_when_it_ends(worlds: Any) -> None:
    def work(hold: Hold) -> None:
        with pytest.raises(JobTooLarge):
            hold.succeed(results={}, summary={"scores": [0.5] * 200_000})
        hold.fail(Failure(code="job-too-large", detail="The summary."))

    world = worlds(work=work)

    with pytest.raises(JobTooLarge):
        world.jobs.submit(Asked(kind="train", by="ana", key="large", spec={"recipe": "x" * 250_000}))
    job = world.jobs.submit(asked())
    world.run()

    assert world.jobs.get(job.id).state == "failed"


@pytest.mark.parametrize("kind", ["publish", "bury", "notify"])
def test_duty_that_always_fails_is_given_up_and_keeps_no_other_from_being_done(
    worlds: Any, kind: str
) -> None:
    def fails(_: Any) -> None:
        raise ValueError("It is broken.")

    def work(hold: Hold) -> None:
        if kind == "bury":
            hold.fail(Failure(code="c", detail="d"))
        else:
            hold.succeed(results={}, summary={}, duties=(kind,) if kind == "publish" else ())

    world = worlds(work=work)
    world.attending._duties[kind] = fails
    job = world.jobs.submit(asked())
    world.run()

    ended = world.jobs.get(job.id)
    assert ended.duties == ()
    assert ended.log[-1] == f"Gave up: {kind}: ValueError"
    assert bool(world.notified) == (kind != "notify")
    assert 20 * 3600 < world.time_s < 30 * 3600


def test_wake_up_of_a_job_that_is_gone_is_nothing(worlds: Any) -> None:
    def purge(hold: Hold) -> None:
        world.jobs.forget(hold.job.id)

    world = worlds(work=purge)
    job = world.jobs.submit(asked())
    world.run()
    world.attending.attend(WakeUp(job=job.id, wake=3, token="t"))

    assert world.documents == {}


def test_worker_of_a_job_that_was_purged_is_told_that_it_is_lost(worlds: Any) -> None:
    def work(hold: Hold) -> None:
        world.jobs.forget(hold.job.id)
        hold.beat()

    world = worlds(work=work)
    world.jobs.submit(asked())
    world.run()

    assert world.refused == 1


def test_work_is_not_asked_for_again_and_again_while_its_queue_is_long(worlds: Any) -> None:
    world = worlds(work=finish)
    deliver = world._deliver
    world._deliver = lambda queue, message, receives: (
        deliver(queue, message, receives) if queue == "attend" or world.time_s > 6 * 3600 else None
    )

    world.jobs.submit(asked())
    world.run(most=1000)

    assert world.states() == ["succeeded"]
    assert world.sent["train"] <= 10  # in six hours; and the last one came


def test_caller_who_asks_again_all_the_time_does_not_keep_a_dead_worker_alive(worlds: Any) -> None:
    world = worlds(work=lambda hold: finish(hold) if hold.job.attempts > 1 else None)
    job = world.jobs.submit(asked())
    for second in range(1, 600, 5):
        world.at(second, lambda: world.jobs.submit(asked()))

    while not world.documents[job.id].ended:
        world.step()

    assert world.time_s < 150


def test_machines_have_time_to_start_before_others_are_asked_for() -> None:
    queues = MemoryQueues()
    jobs = Jobs(MemoryTable(), queues, now=lambda: datetime(2026, 1, 1, tzinfo=UTC))
    attending = Attending(jobs, Slots(jobs, Limits()), work=lambda _: "machines", duties={})
    jobs.submit(Asked(kind="train", by="ana", key="k", spec={}, compute="batch"))

    called_s = []
    while queues.time_s < 3600:
        message = queues.take()
        assert message is not None
        if message.queue == "machines":
            called_s.append(queues.time_s)
        else:
            attending.attend(message.wake_up)

    assert called_s[0] < 60
    assert called_s[1] > 900
    assert len(called_s) <= 3


def test_who_looks_at_a_parent_reads_none_of_its_earlier_children_while_a_later_one_is_under_way() -> None:
    class Noting(MemoryTable):
        def get(self, key: str) -> Item:
            read.append(key)
            return super().get(key)

    read: list[str] = []
    jobs = Jobs(Noting(), MemoryQueues(), now=lambda: datetime(2026, 1, 1, tzinfo=UTC))
    attending = Attending(jobs, Slots(jobs, Limits()), work=lambda _: "train", duties={})
    parent = jobs.submit(asked())
    jobs.change(parent.id, lambda one: called(one, one.generation))
    hold = take(jobs, parent.id, "w", clock=lambda: 0.0)
    assert hold is not None
    hold.wait_for([Asked(kind="trial", by="ana", key=str(number), spec={}) for number in range(50)])
    for number in range(45):
        jobs.change(f"{parent.id}-{number}", lambda one: succeeded(one, jobs.now(), results={}, summary={}))
    read.clear()

    attending.attend(WakeUp(job=parent.id))

    assert [key for key in read if f"{parent.id}-" in key] == [f"job#{parent.id}-49"]


def test_duty_that_is_given_up_is_told_without_what_a_service_said(caplog: pytest.LogCaptureFixture) -> None:
    def refused(_: Job) -> None:
        raise StoreUnavailable(operation="put inbox/x", cause="role/of-ours may not")

    queues = MemoryQueues()
    jobs = Jobs(MemoryTable(), queues, now=lambda: datetime(2026, 1, 1, tzinfo=UTC))
    attending = Attending(
        jobs,
        Slots(jobs, Limits()),
        work=lambda _: "train",
        duties={"notify": refused, "bury": lambda _: None},
    )
    job = jobs.submit(asked())
    jobs.change(job.id, lambda one: failed(one, Failure(code="bad-data", detail="No rows."), jobs.now()))

    while (message := queues.take()) is not None:
        attending.attend(message.wake_up)

    ended = jobs.get(job.id)
    assert ended.is_finished
    assert ended.log == ("Gave up: notify: store-unavailable",)
    assert "of-ours" in caplog.text
