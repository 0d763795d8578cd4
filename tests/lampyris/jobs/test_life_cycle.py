"""The life of jobs, driven into every corner: any message at any time, any worker at any time.

A world checks each writing of a document against the one before; this adds what only the history tells.
"""

from heapq import heapify
from typing import Any, ClassVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from lampyris.errors import IllegalTransition, JobLost
from lampyris.jobs.holding import Hold, take
from lampyris.jobs.job import Failure
from lampyris.jobs.jobs import job_id
from lampyris.jobs.slots import Limits

SPECS = ({"steps": 1}, {"steps": 40}, {"folds": [{"steps": 1}] * 2}, {"shards": 2}, {"fails": True})
FAILURE = Failure(code="some", detail="It failed.")


class Life(RuleBasedStateMachine):
    """A few jobs, the workers that hold them or did, and every message that was ever sent."""

    worlds: ClassVar[Any]
    asking: ClassVar[Any]

    def __init__(self) -> None:
        super().__init__()
        self.world = self.worlds(limits=Limits(in_all=3, by_tenant=2, by_model=2))
        self.holds: list[Hold] = []
        self.workers = 0
        self.notes = 0

    @rule(number=st.integers(0, 3), spec=st.sampled_from(SPECS))
    def submit(self, number: int, spec: dict[str, Any]) -> None:
        known = self.world.documents.get(job_id("ana", str(number)))
        asked = self.asking(number, spec if known is None else known.spec, model="m", max_attempts=3)
        self.world.jobs.submit(asked)

    @rule(data=st.data())
    @precondition(lambda self: self.world.waiting)
    def deliver(self, data: Any) -> None:
        """Deliver any message, as if no time passed, and perhaps once more later."""
        waiting = self.world.waiting
        at = data.draw(st.integers(0, len(waiting) - 1))
        _, _, action, _ = waiting[at]
        if data.draw(st.booleans()):
            del waiting[at]
            heapify(waiting)
        action()

    @rule()
    def time_passes(self) -> None:
        self.world.step()

    @rule(data=st.data())
    @precondition(lambda self: self.world.documents)
    def take(self, data: Any) -> None:
        job = data.draw(st.sampled_from(sorted(self.world.documents)))
        self.workers += 1
        hold = take(self.world.jobs, job, f"rogue {self.workers}", clock=lambda: self.world.time_s)
        if hold is not None:
            self.holds.append(hold)

    @rule(
        data=st.data(),
        act=st.sampled_from(["beat", "checkpoint", "hand over", "succeed", "fail", "fail for now"]),
    )
    @precondition(lambda self: self.holds)
    def work(self, data: Any, act: str) -> None:
        hold = data.draw(st.sampled_from(self.holds))
        job = self.world.documents[hold.job.id]
        holds = job.worker == hold._worker
        ends = job.generation == hold.generation and job.worker is None and hold._ends
        try:
            _act(self.world, hold, act)
        except JobLost:
            assert not holds
        else:
            assert holds or ends

    @rule(data=st.data(), act=st.sampled_from(["cancel", "retry"]))
    @precondition(lambda self: self.world.documents)
    def meddle(self, data: Any, act: str) -> None:
        job = self.world.documents[data.draw(st.sampled_from(sorted(self.world.documents)))]
        try:
            after = getattr(self.world.jobs, act)(job.id)
        except IllegalTransition:
            assert job.ended
        else:
            assert after.state == "cancelled" if act == "cancel" else not after.ended

    @invariant()
    def chains_are_alive(self) -> None:
        self.world.check_chains()

    @invariant()
    def notes_are_never_taken_back(self) -> None:
        assert len(self.world.notified) >= self.notes
        self.notes = len(self.world.notified)

    def teardown(self) -> None:
        self.world.run()
        for job in self.world.documents.values():
            assert job.is_finished, job


def _act(world: Any, hold: Hold, act: str) -> None:
    if act == "beat":
        hold.beat()
    elif act == "checkpoint":
        hold.checkpoint(world._write(hold, "checkpoint-0", []))
    elif act == "hand over":
        hold.hand_over("train")
    elif act == "succeed":
        hold.succeed(results={"bundle": world._write(hold, "bundle", [])}, summary={}, duties=("publish",))
    else:
        hold.fail(FAILURE, for_now=act == "fail for now")


@pytest.mark.parametrize("examples", [60, pytest.param(3000, marks=pytest.mark.slow)], ids=["some", "many"])
def test_jobs_live_by_the_rules_whatever_comes_when(worlds: Any, asking: Any, examples: int) -> None:
    run_state_machine_as_test(
        type("Rules", (Life,), {"worlds": staticmethod(worlds), "asking": staticmethod(asking)}),
        settings=settings(
            max_examples=examples,
            stateful_step_count=40,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
