"""Jobs under whatever a cloud does to them; each failure names the seed, or the call, that brings it back."""

from collections.abc import Callable
from itertools import count
from random import Random
from typing import Any

import pytest

SHORT = {"steps": 4}
FAULTS = ("kill before", "kill after", "fail before", "fail after", "fail, and come later")
LONG = {"steps": 40}  # four functions, one after the other
FOLDS = {"folds": [{"steps": 3}, {"steps": 4}]}
SHARDS = {"shards": 3}
SOME = (LONG, SHORT, FOLDS, SHARDS, {"fails": True}, {"flaky": True, "steps": 5})


def some_jobs(world: Any, asking: Callable[..., Any], specs: tuple[dict[str, Any], ...] = SOME) -> Any:
    for number, spec in enumerate(specs):
        request = asking(number, spec, model=f"model {number % 2}")
        world.ask(lambda request=request: world.jobs.submit(request))
    return world


def run_checked(world: Any) -> None:
    world.run(checks=True)
    world.check_end()


def test_nothing_happens_and_every_job_ends(worlds: Any, asking: Callable[..., Any]) -> None:
    world = some_jobs(worlds(), asking)

    run_checked(world)

    assert world.states() == ["failed"] + ["succeeded"] * 5
    assert len(world.notified) == len(SOME)
    assert world.refused == 0
    assert sum(world.sent.values()) < 30 * len(world.documents)


def test_every_message_comes_five_times_in_any_order(worlds: Any, asking: Callable[..., Any]) -> None:
    def late(random: Random) -> tuple[float, ...]:
        return tuple(random.uniform(0, 200) for _ in range(5))

    calm = some_jobs(worlds(), asking).run()
    for seed in range(10):
        print(f"seed {seed}")  # noqa: T201 - shown if it fails
        world = some_jobs(worlds(seed, late=late), asking)

        run_checked(world)

        assert world.states() == ["failed"] + ["succeeded"] * 5
        children = [job for job in world.documents.values() if job.kind == "fold"]
        assert {job.attempts for job in children} == {1}
        for job in world.documents.values():
            if "shards" not in job.spec:  # a shard that came twice at once was predicted twice
                assert job.billed_ms == pytest.approx(calm.documents[job.id].billed_ms)
                assert job.cost_usd == pytest.approx(calm.documents[job.id].cost_usd)
        assert sum(world.sent.values()) < 60 * len(world.documents)


def _killed_at(call: int, when: str) -> Callable[[int], str | None]:
    return lambda number: when if number == call else None


@pytest.mark.parametrize(
    "spec", [{"steps": 13}, FOLDS, SHARDS, {"fails": True}], ids=["train", "parent", "batch", "failing"]
)
@pytest.mark.parametrize("when", FAULTS)
def test_any_call_may_be_the_last(
    worlds: Any, asking: Callable[..., Any], when: str, spec: dict[str, Any]
) -> None:
    for call in count():
        print(f"call {call}")  # noqa: T201 - as above
        world = some_jobs(worlds(fault=_killed_at(call, when)), asking, (spec,))

        run_checked(world)

        assert world.states() == ["failed" if "fails" in spec else "succeeded"]
        if world.calls <= call:
            break
    assert call > 20


def test_caller_who_dies_leaves_a_job_that_ends_or_none(worlds: Any, asking: Callable[..., Any]) -> None:
    outcomes = set()
    for call in range(4):
        for when in ("kill before", "kill after"):
            world = worlds(fault=_killed_at(call, when))
            world.ask(lambda world=world: world.jobs.submit(asking(0, SHORT)), patient=False)

            run_checked(world)

            outcomes.add(tuple(world.states()))
    assert outcomes == {(), ("succeeded",)}


def _disturbed(worlds: Any, seed: int) -> Any:
    """A world of its own for a seed: what happens in it, and how often, is drawn as well."""
    random = Random(seed)
    kills, fails, copies = (
        random.choice([0, 0.01, 0.03]),
        random.choice([0, 0.02, 0.1]),
        random.choice([1, 1, 2]),
    )
    until = random.choice([500, 2000])

    def fault(number: int) -> str | None:
        drawn = random.random()
        if number > until:
            return None
        if drawn < kills:
            return random.choice(FAULTS[:2])
        return random.choice(FAULTS[2:]) if drawn < kills + fails else None

    def late(random: Random) -> tuple[float, ...]:
        return tuple(random.choice([0.0, 0.0, 3.0, 90.0]) for _ in range(copies))

    return worlds(
        seed,
        fault=fault,
        late=late,
        skew_s=random.choice([0, 3600]),
        halted_s=10.0 if kills or fails else 1000.0,
        interleaved=random.choice([0, 0.03, 0.2]),
        workers_die=random.choice([0, 0.05]),
        pause_s=lambda random: 200.0 if random.random() < 0.03 else 0.0,
        remaining_s=lambda random: random.choice([-5.0, 0.0, 50.0, 100.0]),
        limits=None if seed % 2 else _narrow(worlds),
    )


def _narrow(worlds: Any) -> Any:
    from lampyris.jobs.slots import Limits

    return Limits(in_all=3, by_tenant=2, by_model=1)


def _meddle(world: Any, random: Random) -> None:
    """Let people cancel jobs and begin them again, at any time."""
    for name in [job.id for job in world.documents.values()]:
        for act in (world.jobs.cancel, world.jobs.retry):
            if random.random() < 0.4:
                world.at(random.uniform(0, 400), lambda act=act, name=name: world.ask(lambda: act(name)))


def _retry_cancelled(world: Any) -> None:
    for job in list(world.documents.values()):
        if job.state == "cancelled" and job.parent is None:
            world.ask(lambda name=job.id: world.jobs.retry(name))


@pytest.mark.parametrize(
    "seeds", [range(100), pytest.param(range(100, 2000), marks=pytest.mark.slow)], ids=["some", "many"]
)
def test_whatever_happens_every_job_ends_right(worlds: Any, asking: Callable[..., Any], seeds: range) -> None:
    for seed in seeds:
        print(f"seed {seed}")  # noqa: T201 - shown if it fails
        world = some_jobs(_disturbed(worlds, seed), asking)
        if seed % 3 == 0:
            _meddle(world, Random(seed))

        run_checked(world)
        _retry_cancelled(world)
        run_checked(world)

        assert world.states() == ["failed"] + ["succeeded"] * 5
