"""How many jobs are under way at once, and who comes next."""

from collections.abc import Callable
from typing import Any

import pytest

from lampyris.jobs import transitions
from lampyris.jobs.slots import Limits, Slots

STEP = {"steps": 1}


@pytest.mark.parametrize(
    "ends_s", [300.0, pytest.param(float("inf"), marks=pytest.mark.slow)], ids=["begun", "whole"]
)
def test_flood_of_one_tenant_delays_nobody_else(
    worlds: Any, asking: Callable[..., Any], ends_s: float
) -> None:
    world = worlds(limits=Limits(in_all=50, by_tenant=10, by_model=5))
    for number in range(1000):
        world.jobs.submit(asking(number, STEP, by="flooding"))
    other = world.jobs.submit(asking(0, STEP, by="ana"))

    while world.time_s < ends_s and world.step():
        pass

    assert (world.documents[other.id].ended_at - other.created_at).total_seconds() == 10  # its own step
    assert world.most["all"] == 11
    done = len(world.notified)
    assert done >= 0.9 * world.time_s  # ten at a time, ten seconds each
    assert done == 1001 or world.time_s < 310
    assert sum(world.sent.values()) < 15 * 1001


def test_no_more_jobs_of_a_model_are_under_way_than_may_be(worlds: Any, asking: Callable[..., Any]) -> None:
    world = worlds(limits=Limits(by_model=2, by_tenant=100))
    for number in range(20):
        world.jobs.submit(asking(number, STEP, by=f"tenant {number}", model="digits"))

    world.run()

    world.check_end()
    assert world.most["all"] == 2
    # Each waits for its turn only: who is done calls the next.
    assert world.time_s < 20 / 2 * 10 + 50


def test_jobs_come_in_the_order_in_which_they_were_asked_for(worlds: Any, asking: Callable[..., Any]) -> None:
    world = worlds(limits=Limits(by_tenant=1))
    jobs = []
    for number in range(12):
        jobs.append(world.jobs.submit(asking(number, STEP)).id)
        world.step()

    world.run()

    assert [job for _, job in world.taken] == jobs


def test_job_that_was_purged_or_ended_unseen_holds_no_slot_for_good(
    worlds: Any, asking: Callable[..., Any]
) -> None:
    world = worlds(limits=Limits(by_tenant=2))
    slots = Slots(world.jobs, world.limits)
    gone, ended, next_one, last = (world.jobs.submit(asking(number, STEP)) for number in range(4))

    first = [slots.acquire(gone), slots.acquire(ended), slots.acquire(next_one)]
    world.jobs.forget(gone.id)
    world.jobs.change(ended.id, lambda job: transitions.cancelled(job, job.created_at))

    assert first == [True, True, False]
    assert slots.acquire(next_one)
    assert slots.acquire(last)


def test_newcomer_does_not_overtake_who_waits(worlds: Any, asking: Callable[..., Any]) -> None:
    world = worlds(limits=Limits(by_tenant=1))
    slots = Slots(world.jobs, world.limits)
    first, second, third = (world.jobs.submit(asking(number, STEP)) for number in range(3))
    assert slots.acquire(first)
    assert not slots.acquire(second)

    world.jobs.change(first.id, lambda job: transitions.cancelled(job, job.created_at))
    called = slots.release(first)

    assert called == (second.id,)
    assert not slots.acquire(third)
    assert slots.acquire(second)


def test_slot_that_is_given_back_late_is_not_taken_from_who_has_it_again(
    worlds: Any, asking: Callable[..., Any]
) -> None:
    world = worlds(limits=Limits(by_tenant=1))
    slots = Slots(world.jobs, world.limits)
    job, other = (world.jobs.submit(asking(number, STEP)) for number in range(2))
    assert slots.acquire(job)
    ended = world.jobs.cancel(job.id)
    again = world.jobs.retry(job.id)
    assert slots.acquire(again)

    slots.release(ended)

    assert not slots.acquire(other)


def test_batch_holds_its_slot_while_its_shards_are_done_and_a_parent_does_not(
    worlds: Any, asking: Callable[..., Any]
) -> None:
    world = worlds(limits=Limits(by_tenant=1))
    world.jobs.submit(asking(0, {"shards": 40}))
    world.jobs.submit(asking(1, {"folds": [STEP] * 3}))

    world.run()

    world.check_end()
    batch, parent = [job for job in world.documents.values() if job.parent is None]
    assert batch.ended_at <= parent.started_at
    assert world.states() == ["succeeded"] * 2


def test_slot_is_kept_that_was_taken_again_while_it_was_given_back(
    worlds: Any, asking: Callable[..., Any]
) -> None:
    world = worlds(limits=Limits(by_tenant=1))
    slots = Slots(world.jobs, world.limits)
    job, other = (world.jobs.submit(asking(number, STEP)) for number in range(2))
    assert slots.acquire(job)
    ended = world.jobs.cancel(job.id)
    writes = [world.calls + 2]  # after it has read the slots, and that the job has ended

    def fault(number: int) -> None:
        if number in writes:
            writes.clear()
            assert slots.acquire(world.jobs.retry(job.id))

    world._fault = fault
    slots.release(ended)

    assert writes == []
    assert not slots.acquire(other)


def test_who_waited_and_is_gone_keeps_nobody_behind_it(worlds: Any, asking: Callable[..., Any]) -> None:
    world = worlds(limits=Limits(by_tenant=1))
    slots = Slots(world.jobs, world.limits)
    first, second, third = (world.jobs.submit(asking(number, STEP)) for number in range(3))
    assert [slots.acquire(one) for one in (first, second, third)] == [True, False, False]

    world.jobs.forget(first.id)
    world.jobs.forget(second.id)

    assert slots.acquire(third)


def test_job_that_begins_again_while_it_gives_its_slots_back_keeps_none_out_of_turn(
    worlds: Any, asking: Callable[..., Any]
) -> None:
    """Else it would wait for its caller's slot with its model's, and who has the former for the latter."""
    world = worlds(limits=Limits(by_tenant=1, by_model=1))
    slots = Slots(world.jobs, world.limits)
    job, other = (world.jobs.submit(asking(number, STEP, model="digits")) for number in range(2))
    assert slots.acquire(job)
    ended = world.jobs.cancel(job.id)
    begins = [world.calls + 2]  # its caller's slot is given back, and no other yet

    def fault(number: int) -> None:
        if number in begins:
            begins.clear()
            world.jobs.retry(job.id)

    world._fault = fault
    slots.release(ended)

    assert begins == []
    assert slots.acquire(other)
    assert not slots.acquire(world.jobs.get(job.id))
