"""Jobs with parts: parents and their children, batches and their shards, members that train together."""

from collections.abc import Callable
from typing import Any

from lampyris.jobs.holding import Hold
from lampyris.jobs.job import Failure, Shards
from lampyris.jobs.jobs import Asked
from lampyris.jobs.slots import Limits
from lampyris.jobs.transitions import shard_done

PLAIN = Asked(kind="train", by="ana", key="k", spec={"recipe": "digits"})


def test_parent_holds_no_worker_while_its_children_run_and_gathers_what_they_found(worlds: Any) -> None:
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

    world = worlds(work=work)
    job = world.jobs.submit(PLAIN)
    world.run()

    assert world.jobs.get(job.id).summary == {"sum": 10}
    assert world.jobs.get(job.id).attempts == 2
    assert {world.jobs.get(child).attempts for child in world.jobs.get(job.id).child_ids} == {1}


def test_job_of_100_000_shards_fits_into_its_document(worlds: Any) -> None:
    def work(hold: Hold) -> None:
        hold.wait_for_shards(Shards(count=100_000))

    world = worlds(work=work)
    job = world.jobs.submit(PLAIN)
    while not world.taken:
        world.step()
    for shard in range(99_999, 99_900, -1):
        world.jobs.change(
            job.id,
            lambda one, shard=shard: shard_done(
                one, shard, one.created_at, rows=7, failed_rows=0, billed_ms=1.0, cost_usd=0.1
            ),
        )

    waits = world.jobs.get(job.id)
    assert waits.shards.finished == 99
    assert (waits.billed_ms, waits.shards.rows) == (99.0, 99 * 7)


def test_batch_of_nothing_ends(worlds: Any, asking: Callable[..., Any]) -> None:
    world = worlds()

    world.jobs.submit(asking(0, {"shards": 0}))
    world.run()

    world.check_end()
    assert world.states() == ["succeeded"]


def test_batch_whose_shard_kills_every_worker_fails_and_names_it(worlds: Any) -> None:
    world = worlds(work=lambda hold: hold.wait_for_shards(Shards(count=1)))
    world._predict = lambda name, shard: iter(())

    job = world.jobs.submit(PLAIN)
    world.run()

    failed = world.jobs.get(job.id)
    assert (failed.state, failed.failure.code) == ("failed", "worker-lost")
    assert "shard 0" in failed.failure.detail
    assert world.sent["batch"] <= 1 + failed.max_attempts


def test_retried_parent_has_the_children_retried_that_failed_and_no_other(
    worlds: Any, asking: Callable[..., Any]
) -> None:
    broken = {"now": True}
    world = worlds()
    train = world._train

    def work(hold: Hold, ends_s: float) -> Any:
        if broken["now"] and hold.job.id.endswith("-1"):
            hold.fail(Failure(code="bad-fold", detail="It is broken."))
            return
        yield from train(hold, ends_s)

    world._train = work
    parent = world.jobs.submit(asking(0, {"folds": [{"steps": 2}] * 3}))
    world.run()
    assert (world.documents[parent.id].state, world.buried) == ("failed", [parent.id])

    broken["now"] = False
    world.jobs.retry(parent.id)
    world.run()

    world.check_end()
    attempts = [world.documents[child].attempts for child in world.documents[parent.id].child_ids]
    assert (world.documents[parent.id].state, attempts) == ("succeeded", [1, 2, 1])


def test_children_of_a_cancelled_parent_are_cancelled_and_go_on_when_it_is_retried(
    worlds: Any, asking: Callable[..., Any]
) -> None:
    world = worlds()
    parent = world.jobs.submit(asking(0, {"folds": [{"steps": 40}] * 2}))
    while world.time_s < 200:
        world.step()

    world.jobs.cancel(parent.id)
    world.run()
    states = {job.state for job in world.documents.values()}
    stopped_s = world.time_s
    world.jobs.retry(parent.id)
    world.run()

    assert states == {"cancelled"}
    assert world.states() == ["succeeded"]
    assert world.time_s - stopped_s < 400  # 40 steps take that long from their beginning


def test_child_whose_parent_died_before_it_waited_is_found_by_the_next_and_runs_once(
    worlds: Any, asking: Callable[..., Any]
) -> None:
    world = worlds()
    job = world.jobs.submit(asking(0, {"folds": [{"steps": 2}] * 2}))
    world.jobs.submit_child(job, 0, asking(0, {"steps": 2}, kind="fold"))

    world.run()

    world.check_end()
    assert [world.documents[child].attempts for child in world.documents[job.id].child_ids] == [1, 1]


def test_members_run_all_at_once_in_the_slot_of_their_parent(worlds: Any, asking: Callable[..., Any]) -> None:
    together: set[str] = set()
    world = worlds(limits=Limits(by_tenant=1, in_all=1))

    def work(hold: Hold) -> None:
        if hold.job.kind == "member":
            together.add(hold.job.id)
            hold.beat()
            if len(together) < 3:
                hold.checkpoint("waits for the others")
                hold.hand_over("train")
            else:
                hold.succeed(results={}, summary={})
        elif hold.job.children == 0:
            hold.wait_for([Asked(kind="member", by="ana", key=str(number), spec={}) for number in range(3)])
        else:
            hold.succeed(results={}, summary={})

    world._work = work
    world.jobs.submit(PLAIN)
    world.run()

    assert world.states() == ["succeeded"]


def test_parent_that_waits_for_the_same_children_again_and_again_has_failed(worlds: Any) -> None:
    def work(hold: Hold) -> None:
        if hold.job.kind == "fold":
            hold.succeed(results={}, summary={})
        else:
            hold.wait_for([Asked(kind="fold", by="ana", key="0", spec={})])

    world = worlds(work=work)
    job = world.jobs.submit(PLAIN)
    world.run()

    failed = world.jobs.get(job.id)
    assert (failed.state, failed.failure.code) == ("failed", "no-progress")
    assert failed.attempts == 1 + failed.max_attempts


def test_child_that_was_cancelled_while_its_parent_was_retried_goes_on(
    worlds: Any, asking: Callable[..., Any]
) -> None:
    world = worlds()
    parent = world.jobs.submit(asking(0, {"folds": [{"steps": 4}] * 2}))
    while world.time_s < 15:
        world.step()

    world.jobs.cancel(world.documents[parent.id].child_ids[0])  # by who saw the parent before it was retried
    world.run()

    world.check_end()
    assert world.states() == ["succeeded"]
