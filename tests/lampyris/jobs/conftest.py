"""A deployment in one thread, whose time passes from one event to the next: what happens follows from a seed.

Messages come as often, as late and in whatever order as a world is told; any call to the table, to a queue or
to the store may fail, with or without effect, or be the last of whoever made it.
"""

import heapq
import json
from collections import Counter
from collections.abc import Callable, Generator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from itertools import count
from random import Random
from threading import Lock
from typing import Any

import pytest

from lampyris.adapters.memory_table import MemoryTable
from lampyris.errors import (
    IllegalTransition,
    JobLost,
    JobNotFound,
    LampyrisError,
    TableUnavailable,
    Unavailable,
)
from lampyris.jobs import transitions
from lampyris.jobs.attending import Attending
from lampyris.jobs.holding import Hold, take
from lampyris.jobs.job import Failure, Job, Progress, Shards, decode_job
from lampyris.jobs.jobs import Asked, Jobs
from lampyris.jobs.slots import Limits, Slots
from lampyris.jobs.table import Item
from lampyris.jobs.wake_ups import QueueName, WakeUp

# What a call may meet; None is that it succeeds.
Fault = str | None
KILL_BEFORE, KILL_AFTER = "kill before", "kill after"
FAIL_BEFORE, FAIL_AFTER, FAIL_AND_COME_LATER = "fail before", "fail after", "fail, and come later"
FUNCTION_S, STEP_S = 100.0, 10.0  # how long a function may run, and how long a step of its work takes
REDELIVERED_S = 60.0  # after that, a message comes again whose function died
TRAIN_RECEIVES = 3  # so often; then it lies among the dead letters
ROWS = 7
# Attempts in a row: in the worst of these worlds, of twenty workers one comes as far as the next checkpoint.
PATIENT = 200
MOST_HALTED = 4
MOST_WAITING = 100  # messages at once, for each job; more would be such that make each other

Work = Generator[float, None, None]


class Killed(BaseException):
    """A function dies: nothing of ours is asked."""


class World:
    """`fault` says what the call of this number meets; `late` how much later each copy of a message comes.

    `interleaved` is how often others come in between two calls of one who is then at a halt, `halted_s` for
    how long at most.
    `work` is what a worker does with a job that it holds, if not what the job's spec asks for.
    """

    def __init__(
        self,
        seed: int = 0,
        *,
        fault: Callable[[int], Fault] = lambda _: None,
        late: Callable[[Random], tuple[float, ...]] = lambda _: (0.0,),
        limits: Limits | None = None,
        skew_s: float = 0.0,
        remaining_s: Callable[[Random], float] = lambda _: FUNCTION_S,
        pause_s: Callable[[Random], float] = lambda _: 0.0,
        workers_die: float = 0.0,
        interleaved: float = 0.0,
        halted_s: float = 10.0,
        work: Callable[[Hold], None] | None = None,
    ) -> None:
        self.random = Random(seed)
        self.time_s = 0.0
        self.limits = limits or Limits()
        self.calls = 0
        self.sent: Counter[str] = Counter()
        self.refused = 0
        self.taken: list[tuple[float, str]] = []
        self.notified: list[tuple[str, str]] = []
        self.buried: list[str] = []
        self.broken: list[Exception] = []
        self.most: Counter[str] = Counter()
        self.files: dict[str, bytes] = {}
        self.documents: dict[str, Job] = {}
        self.waiting: list[tuple[float, int, Callable[[], None], WakeUp | None]] = []
        self._fault, self._late, self._skew_s = fault, late, skew_s
        self._remaining_s, self._pause_s, self._workers_die = remaining_s, pause_s, workers_die
        self._interleaved, self._halted_s, self._depth = interleaved, halted_s, 0
        self._work = work
        self._numbers = count()
        self._names = count()
        self.table = MemoryTable()
        self.jobs = Jobs(_Table(self), self, now=self._now, token=lambda: f"token {next(self._names)}")
        self.attending = Attending(
            self.jobs,
            Slots(self.jobs, self.limits),
            work=lambda _: "train",
            duties={"notify": self._notify, "bury": self._bury, "publish": self._publish},
            draw=self.random.random,
        )

    # What happens, and when

    def at(self, after_s: float, action: Callable[[], None], message: WakeUp | None = None) -> None:
        assert len(self.waiting) < MOST_WAITING * (1 + len(self.documents))
        heapq.heappush(self.waiting, (self.time_s + after_s, next(self._numbers), action, message))

    def step(self) -> bool:
        """Let happen what is next; False if nothing is."""
        if not self.waiting:
            return False
        due_s, _, action, _ = heapq.heappop(self.waiting)
        self.time_s = max(self.time_s, due_s)
        action()
        return True

    def run(self, *, checks: bool = False, most: int = 20_000) -> "World":
        """Go on until nothing is left to happen; with `checks`, hold the chains against jobs meanwhile."""
        for _ in range(most):
            if not self.step():
                return self
            if checks:
                self.check_chains()
        raise AssertionError("The messages do not come to an end.")

    def call(self, act: Callable[[], Any]) -> Any:
        """Do what a call does, unless it is the one that does not come through."""
        self._let_others_in()
        fault = self._fault(self.calls)
        self.calls += 1
        if fault == KILL_BEFORE:
            raise Killed
        if fault == FAIL_AND_COME_LATER:
            self.at(self.random.uniform(0, 30), lambda: _quietly(act))
        if fault in {FAIL_BEFORE, FAIL_AND_COME_LATER}:
            raise TableUnavailable(operation="call", cause="a fault")
        answer = act()
        if fault == KILL_AFTER:
            raise Killed
        if fault == FAIL_AFTER:
            raise TableUnavailable(operation="call", cause="a fault")
        return answer

    def _let_others_in(self) -> None:
        if not self.waiting or self.waiting[0][0] > self.time_s + self._halted_s:
            return
        if self._depth < MOST_HALTED and self.random.random() < self._interleaved:
            self._depth += 1
            try:
                self.step()
            except Exception as error:
                self.broken.append(error)  # whoever is at a halt may take it for an error of its own
                raise
            finally:
                self._depth -= 1

    def ask(self, act: Callable[[], object], *, patient: bool = True) -> None:
        """Be a caller, who asks again if it was told to, or, if `patient`, if there was no answer at all."""
        try:
            act()
        except (JobNotFound, IllegalTransition):
            return
        except Unavailable:
            self.at(1, lambda: self.ask(act, patient=patient))
        except Killed:
            if patient:
                self.at(1, lambda: self.ask(act, patient=patient))

    # Queues

    def send(
        self, queue: QueueName, message: WakeUp, *, delay_s: int = 0, why: dict[str, str] | None = None
    ) -> None:
        assert why is None
        assert 0 <= delay_s <= 900

        def send() -> None:
            self.sent[queue] += 1
            for late_s in self._late(self.random):
                self.at(delay_s + late_s, lambda: self._deliver(queue, message, 1), message)

        self.call(send)

    def _deliver(self, queue: QueueName, message: WakeUp, receives: int) -> None:
        try:
            if queue == "attend":
                self.attending.attend(message)
            else:
                self._go_on(self._worker(message), queue, message, receives)
        except (Killed, Unavailable):
            self._put_back(queue, message, receives)

    def _put_back(self, queue: QueueName, message: WakeUp, receives: int) -> None:
        if queue != "train" or receives < TRAIN_RECEIVES:
            self.at(REDELIVERED_S, lambda: self._deliver(queue, message, receives + 1), message)

    # Workers

    def _go_on(self, work: Work, queue: QueueName, message: WakeUp, receives: int) -> None:
        """Let a worker go on until time passes for it."""
        dies = self.random.random() < self._workers_die
        try:
            passes_s = work.throw(Killed()) if dies else next(work)
        except StopIteration:
            return
        except JobLost:
            self.refused += 1
        except (Killed, Unavailable):
            self._put_back(queue, message, receives)
        else:
            self.at(passes_s, lambda: self._go_on(work, queue, message, receives))

    def _worker(self, message: WakeUp) -> Work:
        if message.shard is not None:
            yield from self._predict(message.job, message.shard)
            return
        ends_s = self.time_s + self._remaining_s(self.random)
        name = f"worker {next(self._names)}"
        hold = take(self.jobs, message.job, name, clock=lambda: self.time_s, rate_usd_per_ms=1e-6)
        if hold is None:
            return
        self.taken.append((self.time_s, hold.job.id))
        spec = hold.job.spec
        if self._work is not None:
            self._work(hold)
        elif "fails" in spec:
            hold.fail(Failure(code="bad-recipe", detail="It does."))
        elif "flaky" in spec and hold.job.attempts < 3:
            hold.fail(Failure(code="store-unavailable", detail="Later."), for_now=True)
        elif "folds" in spec:
            yield from self._gather(hold)
        elif "shards" in spec:
            yield from self._plan(hold)
        else:
            yield from self._train(hold, ends_s)

    def _train(self, hold: Hold, ends_s: float) -> Work:
        """Do steps one by one; what they did, in order, is the result."""
        steps: list[int] = self._read(hold.job.checkpoint) if hold.job.checkpoint else []
        while len(steps) < hold.job.spec["steps"]:
            if self.time_s + STEP_S > ends_s:
                hold.hand_over("train")
                return
            yield STEP_S + self._pause_s(self.random)
            steps.append(len(steps))
            hold.beat(Progress(step=len(steps), steps=hold.job.spec["steps"]))
            if len(steps) % 3 == 0:
                hold.checkpoint(self._write(hold, f"checkpoint-{len(steps)}", steps))
        hold.succeed(results={"bundle": self._write(hold, "bundle", steps)}, summary={}, duties=("publish",))

    def _gather(self, hold: Hold) -> Work:
        """Let the folds be trained, then put together what they did."""
        folds = hold.job.spec["folds"]
        if hold.job.children < len(folds):
            hold.wait_for(
                [
                    asked(number, fold, kind="fold", by=hold.job.by, model=hold.job.model)
                    for number, fold in enumerate(folds)
                ]
            )
            return
        yield 1.0
        children = [self.jobs.get(child) for child in hold.job.child_ids]
        if any(child.state != "succeeded" for child in children):
            hold.fail(Failure(code="fold-failed", detail="One did."))
            return
        found = [self._read(child.results["bundle"]) for child in children]
        hold.succeed(results={"bundle": self._write(hold, "bundle", found)}, summary={}, duties=("publish",))

    def _plan(self, hold: Hold) -> Work:
        """Let the shards be predicted, then put together what came of them."""
        shards = hold.job.shards
        if shards is None:
            yield 1.0
            hold.wait_for_shards(Shards(count=hold.job.spec["shards"]))
            return
        yield 1.0
        found = [self._read(f"jobs/{hold.job.id}/shards/{shard}") for shard in range(shards.count)]
        hold.succeed(
            results={"bundle": self._write(hold, "bundle", found)},
            summary={"rows": shards.rows},
            duties=("publish",),
        )

    def _predict(self, name: str, shard: int) -> Work:
        job = self.jobs.get(name)
        if job.shards is not None and job.waits and not job.shards.is_done(shard):
            yield STEP_S
            self._put(f"jobs/{name}/shards/{shard}", [shard])
            job = self.jobs.change(
                name,
                lambda one: transitions.shard_done(
                    one, shard, self._now(), rows=ROWS, failed_rows=0, billed_ms=5.0, cost_usd=5e-6
                ),
            )
        self.jobs.look(job)

    # Files and duties

    def _write(self, hold: Hold, name: str, content: object) -> str:
        key = f"jobs/{hold.job.id}/{hold.generation}/{name}"
        self._put(key, content)
        return key

    def _put(self, key: str, content: object) -> None:
        self.call(lambda: self.files.__setitem__(key, json.dumps(content).encode()))

    def _read(self, key: str) -> Any:
        return json.loads(self.call(lambda: self.files[key]))

    def _publish(self, job: Job) -> None:
        content = self._read(job.results["bundle"])
        self._put(f"inbox/{job.id}", content)

    def _notify(self, job: Job) -> None:
        self.call(lambda: self.notified.append((job.id, job.state)))

    def _bury(self, job: Job) -> None:
        self.call(lambda: self.buried.append(job.id))

    def _now(self) -> datetime:
        skew_s = self.random.uniform(-self._skew_s, self._skew_s)
        return datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=self.time_s + skew_s)

    # What must always be true, and what at the end

    def wrote(self, key: str, data: bytes) -> None:
        """Hold a document against the one before it."""
        if not key.startswith("job#"):
            return
        job = decode_job(data)
        before = self.documents.get(job.id)
        self.documents[job.id] = job
        if job.ended:
            assert job.worker is None
            assert not job.waits
        if before is None:
            return
        for grows in ("generation", "beat", "wakes", "attempts", "billed_ms", "cost_usd", "children"):
            assert getattr(job, grows) >= getattr(before, grows), grows
        if before.worker is not None and job.worker is not None:
            assert (job.worker, job.generation) == (before.worker, before.generation)
        if before.ended and not (job.state == "queued" and job.generation > before.generation):
            assert (job.state, job.results, job.failure) == (before.state, before.results, before.failure)
        if before.shards is not None and job.shards is not None:
            assert int(before.shards.done, 16) & ~int(job.shards.done, 16) == 0
            assert job.shards.rows == ROWS * job.shards.finished
        if job.worker is not None and before.worker is None:
            self._check_slots()

    def _check_slots(self) -> None:
        held = [job for job in self.documents.values() if job.worker is not None and job.kind != "member"]
        by, of = Counter(job.by for job in held), Counter(job.model for job in held if job.model)
        assert len(held) <= self.limits.in_all
        assert max(by.values(), default=0) <= self.limits.by_tenant
        assert max(of.values(), default=0) <= self.limits.by_model
        self.most["all"] = max(self.most["all"], len(held))

    def check_chains(self) -> None:
        """Every job for which something is left to do has a wake-up on its way that will be its turn."""
        alive = set()
        for _, _, _, message in self.waiting:
            if message is not None and message.wake is not None:
                job = self.documents.get(message.job)
                if job is not None and (
                    message.wake >= job.wakes or transitions.is_latest(job, message.wake, message.token)
                ):
                    alive.add(job.id)
        assert alive >= {job.id for job in self.documents.values() if not job.is_finished}

    def check_end(self) -> None:
        """Hold what every job came to against what it was asked."""
        assert not self.broken
        for job in self.documents.values():
            assert job.is_finished, job
            if job.parent is None:
                assert (job.id, job.state) in self.notified, job
            spec = job.spec
            if "fails" in spec:
                assert job.state in {"failed", "cancelled"}
            if job.parent is None and job.state == "failed":
                assert job.id in self.buried
            if job.state == "succeeded":
                assert json.loads(self.files[job.results["bundle"]]) == expected(spec), job
                assert self.files[f"inbox/{job.id}"] == self.files[job.results["bundle"]]
                if "shards" in spec:
                    assert job.summary == {"rows": ROWS * spec["shards"]}
        for key, item in self.table._items.items():
            if key.startswith("slots#"):
                slots = json.loads(item.data)
                holders = [one.partition("@")[0] for one in slots["holders"]]
                assert not [one for one in holders if self.documents[one].needs_slot]

    def states(self) -> list[str]:
        """Return what became of what was asked for, in the order of the alphabet."""
        return sorted(job.state for job in self.documents.values() if job.parent is None)


class _Table:
    """The table as it is seen through calls that may fail."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._lock = Lock()

    def get(self, key: str) -> Item:
        return self._world.call(lambda: self._world.table.get(key))  # type: ignore[no-any-return]  # as the call's

    def create(self, key: str, data: bytes, listed: tuple[str, str] | None = None) -> Item:
        def create() -> Item:
            item = self._world.table.create(key, data, listed)
            self._world.wrote(key, data)
            return item

        return self._world.call(create)  # type: ignore[no-any-return]  # as above

    def replace(self, item: Item, data: bytes) -> Item:
        def replace() -> Item:
            with self._lock:  # a beat may come from a thread
                written = self._world.table.replace(item, data)
                self._world.wrote(item.key, data)
            return written

        return self._world.call(replace)  # type: ignore[no-any-return]  # as above

    def delete(self, item: Item) -> None:
        self._world.call(lambda: self._world.table.delete(item))
        self._world.documents.pop(item.key.removeprefix("job#"), None)

    def list(self, name: str, *, limit: int, before: str | None = None) -> list[Item]:
        return list(self._world.table.list(name, limit=limit, before=before))


def _quietly(act: Callable[[], Any]) -> None:
    with suppress(LampyrisError):  # it came too late
        act()


def expected(spec: dict[str, Any]) -> object:
    """Return what a job comes to that nothing disturbs."""
    if "folds" in spec:
        return [expected(fold) for fold in spec["folds"]]
    if "shards" in spec:
        return [[shard] for shard in range(spec["shards"])]
    return list(range(spec["steps"]))


def asked(number: int, spec: dict[str, Any], **others: Any) -> Asked:
    fields: dict[str, Any] = {"kind": "train", "by": "ana", "max_attempts": PATIENT} | others
    return Asked(key=str(number), spec=spec, **fields)


@pytest.fixture(scope="session")
def worlds() -> type[World]:
    return World


@pytest.fixture(scope="session")
def asking() -> Callable[..., Asked]:
    return asked
