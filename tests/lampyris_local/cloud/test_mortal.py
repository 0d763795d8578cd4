import asyncio

from lampyris_local.cloud.faults import Fates, Faults
from lampyris_local.cloud.mortal import Mortal


def begun(told: list[str], killed: asyncio.Event, *, kill: float) -> Mortal:
    """An invocation that is killed after 10 ms, if it is."""
    fates = Fates(Faults(kill=kill, seed=687), {"Slow"})
    mortal = Mortal(fates, "Slow", kill=killed.set, tell=told.append)
    mortal.begin()
    return mortal


def test_answer_of_a_process_that_was_killed_gets_through_no_more() -> None:
    told: list[str] = []

    async def answer_late() -> bool:
        killed = asyncio.Event()
        mortal = begun(told, killed, kill=1)
        await killed.wait()
        return mortal.survives()

    survives = asyncio.run(answer_late())

    assert not survives
    assert told == ["killed 0.01 s after it began, invocation 1 of Slow"]


def test_invocation_that_answers_before_its_moment_is_killed_as_it_does() -> None:
    told: list[str] = []

    async def answer_at_once() -> tuple[bool, bool]:
        killed = asyncio.Event()
        return begun(told, killed, kill=1).survives(), killed.is_set()

    survives, is_killed = asyncio.run(answer_at_once())

    assert (survives, is_killed) == (False, True)
    assert told == ["killed as it answered, invocation 1 of Slow"]


def test_invocation_that_nothing_befalls_survives() -> None:
    told: list[str] = []

    async def answer() -> bool:
        return begun(told, asyncio.Event(), kill=0).survives()

    assert asyncio.run(answer())
    assert told == []
