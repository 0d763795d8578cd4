"""Workers that live longer than their hold on a job, and such as have no time for it."""

from collections.abc import Callable
from random import Random
from time import sleep
from typing import Any

import pytest

from lampyris.errors import JobLost, TableUnavailable
from lampyris.jobs.holding import Beating, Hold
from lampyris.jobs.job import Failure, Shards
from lampyris.jobs.jobs import Asked


def test_worker_whose_lease_is_over_is_refused_and_its_files_are_not_the_result(
    worlds: Any, asking: Callable[..., Any]
) -> None:
    stalled = []

    def pause_s(_: Random) -> float:
        stalled.append(True)
        return 500.0 if len(stalled) == 3 else 0.0

    world = worlds(pause_s=pause_s)
    world.jobs.submit(asking(0, {"steps": 8}))
    world.run()

    world.check_end()
    (job,) = world.documents.values()
    assert (job.state, job.attempts, world.refused) == ("succeeded", 2, 1)


_WRITES: dict[str, Callable[[Hold], None]] = {
    "beat": lambda hold: hold.beat(),
    "checkpoint": lambda hold: hold.checkpoint("x"),
    "hand over": lambda hold: hold.hand_over("train"),
    "wait for children": lambda hold: hold.wait_for([Asked(kind="fold", by="ana", key="0", spec={})]),
    "wait for shards": lambda hold: hold.wait_for_shards(Shards(count=1)),
    "succeed": lambda hold: hold.succeed(results={}, summary={}),
    "fail": lambda hold: hold.fail(Failure(code="c", detail="d")),
    "fail for now": lambda hold: hold.fail(Failure(code="c", detail="d"), for_now=True),
}


@pytest.mark.parametrize("write", _WRITES)
def test_every_write_of_a_worker_is_refused_once_another_has_the_job(
    worlds: Any, asking: Callable[..., Any], write: str
) -> None:
    world = worlds()
    job = world.jobs.submit(asking(0, {"steps": 40}))
    while not world.taken:
        world.step()
    hold = _hold_of(world, job.id)
    world.jobs.cancel(job.id)
    world.jobs.retry(job.id)
    while len(world.taken) < 2:
        world.step()
    before = world.documents[job.id]

    with pytest.raises(JobLost):
        _WRITES[write](hold)

    assert before.worker is not None
    assert world.documents[job.id] == before


def _hold_of(world: Any, job: str) -> Hold:
    """Hold what the worker of a job holds now."""
    return Hold(world.jobs, world.documents[job], clock=lambda: 0.0, rate_usd_per_ms=0.0)


def test_workers_without_any_time_hand_over_until_one_has_some(
    worlds: Any, asking: Callable[..., Any]
) -> None:
    times = iter([0.0, -5.0, -3600.0])
    world = worlds(remaining_s=lambda _: next(times, 100.0))

    world.jobs.submit(asking(0, {"steps": 4}))
    world.run()

    world.check_end()
    (job,) = world.documents.values()
    assert (job.state, job.attempts) == ("succeeded", 4)


def test_job_whose_workers_never_have_time_fails_and_says_so(worlds: Any, asking: Callable[..., Any]) -> None:
    world = worlds(remaining_s=lambda _: 0.0)

    world.jobs.submit(asking(0, {"steps": 4}, max_attempts=5))
    world.run()

    (job,) = world.documents.values()
    assert (job.state, job.failure.code, job.attempts) == ("failed", "no-progress", 5)


def test_worker_that_dies_at_the_same_step_each_time_is_given_up(
    worlds: Any, asking: Callable[..., Any]
) -> None:
    """Its progress moves in every attempt, but it never comes past the checkpoint."""
    world = worlds(pause_s=lambda _: 0.0)
    original = world._train

    def dies(hold: Any, ends_s: float) -> Any:
        work = original(hold, ends_s)
        for passes_s in work:
            if hold.job.progress.step >= 5:
                return
            yield passes_s

    world._train = dies
    world.jobs.submit(asking(0, {"steps": 9}, max_attempts=5))
    world.run()

    (job,) = world.documents.values()
    assert (job.state, job.failure.code) == ("failed", "worker-lost")
    assert job.attempts <= 6


def test_end_whose_answer_was_lost_may_be_said_again(worlds: Any, asking: Callable[..., Any]) -> None:
    world = worlds()
    job = world.jobs.submit(asking(0, {"steps": 1}))
    while not world.taken:
        world.step()
    hold = _hold_of(world, job.id)
    replaced = world.calls + 1
    world._fault = lambda number: "fail after" if number == replaced else None

    with pytest.raises(TableUnavailable):
        hold.succeed(results={"a": "b"}, summary={})
    hold.succeed(results={"a": "b"}, summary={})

    assert world.documents[job.id].results == {"a": "b"}


def test_beats_from_a_thread_go_on_when_the_table_is_away_and_end_when_the_job_is(
    worlds: Any, asking: Callable[..., Any]
) -> None:
    world = worlds()
    job = world.jobs.submit(asking(0, {"steps": 40}))
    while not world.taken:
        world.step()
    hold, beats = _hold_of(world, job.id), world.documents[job.id].beat
    away = range(world.calls, world.calls + 5)
    world._fault = lambda number: "fail before" if number in away else None

    with Beating(hold, every_s=0.001) as beating:
        while world.documents[job.id].beat < beats + 3:
            sleep(0.001)
        was_lost = beating.is_lost
        world.jobs.cancel(job.id)
        while not beating.is_lost:
            sleep(0.001)

    assert not was_lost
    assert world.documents[job.id].state == "cancelled"
