"""However the calls of several operations interleave: nothing is torn at any step.

And what two of them leave is what they could have left one after the other.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import permutations
from threading import Semaphore, Thread
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lampyris.adapters.memory_store import MemoryStore
from lampyris.domain.manifest import Alias
from lampyris.errors import Conflict, InvalidSplit, NotFound, VersionClosing, VersionDeleted
from lampyris.registry.documents import find_version, list_aliases, list_versions

Do = Callable[[Any], object]


class Abandoned(BaseException):
    """The test has ended before the operation."""


class Runner(Thread):
    """Runs an operation, some calls of the store at a time; `check` after each."""

    def __init__(
        self,
        store: MemoryStore,
        operation: Do,
        watch: Any,
        registry_of: Any,
        check: Callable[[], None] = lambda: None,
    ) -> None:
        super().__init__(daemon=True)
        self._operation = operation
        self._registry = registry_of(watch(store, self._call))
        self._check = check
        self._may_call, self._waits = Semaphore(0), Semaphore(0)
        self._left = 0
        self._is_abandoned = False
        self.calls = 0
        self.is_done = False
        self.outcome: object = None
        self.start()
        self._waits.acquire()

    def run(self) -> None:
        try:
            self.outcome = self._operation(self._registry)
        except BaseException as error:  # noqa: BLE001 - looked at by whoever started it
            self.outcome = error
        self.is_done = True
        self._waits.release()

    def _call(self, _method: str, _key: str, call: Callable[[], Any]) -> Any:
        if not self._left:
            self._waits.release()
            self._may_call.acquire()
        if self._is_abandoned:
            raise Abandoned
        self._left -= 1
        self.calls += 1
        try:
            return call()
        finally:
            self._check()

    def make(self, calls: int) -> None:
        """Let the operation make its next calls, and come to the one after them, or to its end."""
        if not self.is_done:
            self._left = calls
            self._may_call.release()
            self._waits.acquire()

    def abandon(self) -> None:
        """End the operation where it is, if it has not ended."""
        self._is_abandoned = True
        self.make(1)
        self.join()


@dataclass(frozen=True, kw_only=True)
class Scenario:
    prepare: Do
    operations: tuple[Do, ...]


def _three(registry: Any) -> None:
    """Version 1, then 2, is live; 3 is registered."""
    for upload in ("u1", "u2", "u3"):
        registry.commit(upload)
    registry.set({1: 100})
    registry.set({2: 100})


def _canary(registry: Any) -> None:
    _three(registry)
    registry.set({2: 90, 3: 10})


def _history(registry: Any) -> None:
    """Version 1 is no longer what a rollback would restore, but what the one after it would."""
    _three(registry)
    registry.set({3: 100})


PAIRS = {
    "delete and promote": Scenario(
        prepare=_three, operations=(lambda one: one.delete(3), lambda one: one.promote(3))
    ),
    "delete and make an alias": Scenario(
        prepare=_three, operations=(lambda one: one.delete(3), lambda one: one.set({3: 100}, "next"))
    ),
    "delete and shadow": Scenario(
        prepare=_three, operations=(lambda one: one.delete(3), lambda one: one.shadow(3))
    ),
    "delete and move away": Scenario(
        prepare=_three, operations=(lambda one: one.delete(1), lambda one: one.set({3: 100}))
    ),
    "delete and roll back": Scenario(
        prepare=_history, operations=(lambda one: one.delete(1), lambda one: one.roll_back())
    ),
    "delete twice": Scenario(
        prepare=_three, operations=(lambda one: one.delete(3), lambda one: one.delete(3))
    ),
    "delete twice by one key": Scenario(
        prepare=_three, operations=(lambda one: one.delete(3, key="k"), lambda one: one.delete(3, key="k"))
    ),
    "promote and roll back": Scenario(
        prepare=_canary, operations=(lambda one: one.promote(), lambda one: one.roll_back())
    ),
    "promote twice by one key": Scenario(
        prepare=_canary, operations=(lambda one: one.promote(key="k"), lambda one: one.promote(key="k"))
    ),
    "promote twice": Scenario(
        prepare=_canary, operations=(lambda one: one.promote(expected=3), lambda one: one.promote(expected=3))
    ),
    "roll back twice": Scenario(
        prepare=_history, operations=(lambda one: one.roll_back(), lambda one: one.roll_back())
    ),
    "make one alias twice": Scenario(
        prepare=_three,
        operations=(lambda one: one.set({1: 100}, "next"), lambda one: one.set({3: 100}, "next")),
    ),
    "split and shadow": Scenario(
        prepare=_three, operations=(lambda one: one.set({2: 50, 3: 50}), lambda one: one.shadow(3))
    ),
    "publish and commit the same": Scenario(
        prepare=_three, operations=(lambda one: one.publish("u4"), lambda one: one.commit("u4"))
    ),
}
CROWDS = {
    "delete, promote and roll back": Scenario(
        prepare=_history,
        operations=(lambda one: one.delete(1), lambda one: one.promote(1), lambda one: one.roll_back()),
    ),
    "delete beside two aliases": Scenario(
        prepare=_three,
        operations=(
            lambda one: one.delete(3),
            lambda one: one.set({3: 100}, "next"),
            lambda one: one.set({2: 90, 3: 10}),
        ),
    ),
    "two deletions beside a move there and back": Scenario(
        prepare=_three,
        operations=(
            lambda one: one.delete(3),
            lambda one: one.delete(3),
            lambda one: (one.promote(3), one.set({2: 100}), one.set({1: 100})),
        ),
    ),
    "three publishers": Scenario(
        prepare=lambda _: None,
        operations=(
            lambda one: one.publish("u1"),
            lambda one: one.publish("u2"),
            lambda one: one.publish("u1"),
        ),
    ),
    "publish, delete it and publish again": Scenario(
        prepare=_three,
        operations=(
            lambda one: one.publish("u4"),
            lambda one: one.delete(4),
            lambda one: one.publish("u5"),
        ),
    ),
}


ALL = 1_000
# Whose turn it is, and how many calls it may make then.
Turn = tuple[int, int]


def interleave(
    store: MemoryStore, scenario: Scenario, turns: Iterable[Turn], watch: Any, registry_of: Any, checks: Any
) -> list[object]:
    """Run operations, some calls at a time, and check the registry after each call."""

    def check() -> None:
        checks.aliases(store, "iris")

    runners = [Runner(store, operation, watch, registry_of, check) for operation in scenario.operations]
    for turn, calls in turns:
        runners[turn].make(calls)
    for runner in runners:
        runner.abandon()
    checks.invariants(store)
    return [_outcome(runner.outcome) for runner in runners]


def _outcome(outcome: object) -> object:
    """Say what came of an operation, as far as it does not depend on when it was asked for."""
    match outcome:
        case VersionClosing():
            return VersionDeleted  # it will be in a moment
        case Conflict() | NotFound() | InvalidSplit():
            return type(outcome)
        case BaseException():
            raise outcome
        case Alias():
            return [(route.manifest.version, route.weight) for route in outcome.routes]
        case _:
            return type(outcome)


def state(store: MemoryStore, registry_of: Any, checks: Any) -> object:
    registry = registry_of(store)
    aliases = []
    for name in list_aliases(store, "iris"):
        try:
            alias = registry.alias(name)
        except NotFound:
            continue
        aliases.append((name, alias.revision, _outcome(alias), alias.before, alias.shadow is None))
    versions = [type(find_version(store, "iris", version)) for version in list_versions(store, "iris")]
    audit = sorted((entry.change.action, entry.subject) for entry in checks.audit(store))
    return aliases, versions, audit


def _prepared(scenario: Scenario, registry_of: Any) -> MemoryStore:
    store = MemoryStore()
    scenario.prepare(registry_of(store))
    return store


def _one_after_the_other(scenario: Scenario, watch: Any, registry_of: Any, checks: Any) -> list[object]:
    """Return every outcome that the operations could have had without interleaving."""
    possible: list[object] = []
    for order in permutations(range(len(scenario.operations))):
        store = _prepared(scenario, registry_of)
        outcomes = interleave(store, scenario, [(turn, ALL) for turn in order], watch, registry_of, checks)
        possible.append((outcomes, state(store, registry_of, checks)))
    return possible


def _calls(scenario: Scenario, watch: Any, registry_of: Any) -> int:
    """Return how many calls the longest of the operations makes when it is alone."""
    runners = [
        Runner(_prepared(scenario, registry_of), operation, watch, registry_of)
        for operation in scenario.operations
    ]
    for runner in runners:
        runner.make(ALL)
    return max(runner.calls for runner in runners)


def _check_all(name: str, orders: Iterable[list[Turn]], watch: Any, registry_of: Any, checks: Any) -> None:
    scenario = PAIRS[name]
    possible = _one_after_the_other(scenario, watch, registry_of, checks)
    for turns in orders:
        store = _prepared(scenario, registry_of)
        outcomes = interleave(store, scenario, turns, watch, registry_of, checks)

        assert (outcomes, state(store, registry_of, checks)) in possible, turns


@pytest.mark.parametrize("name", PAIRS)
def test_operation_in_the_midst_of_another_leaves_what_they_could_have_left_one_by_one(
    name: str, watch: Any, registry_of: Any, checks: Any
) -> None:
    calls = range(1, _calls(PAIRS[name], watch, registry_of))
    orders = [[(one, before), (1 - one, ALL), (one, ALL)] for one in (0, 1) for before in calls]

    _check_all(name, orders, watch, registry_of, checks)


@pytest.mark.slow
@pytest.mark.parametrize("name", PAIRS)
def test_operations_that_interrupt_each_other_leave_what_they_could_have_left_one_by_one(
    name: str, watch: Any, registry_of: Any, checks: Any
) -> None:
    calls = range(1, _calls(PAIRS[name], watch, registry_of) + 1)
    orders = (
        [(one, before), (1 - one, between), (one, ALL), (1 - one, ALL)]
        for one in (0, 1)
        for before in calls
        for between in calls
    )

    _check_all(name, orders, watch, registry_of, checks)


RANDOM = settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def _turns(operations: int) -> st.SearchStrategy[list[Turn]]:
    """Draw turns, and let everybody come to an end after them."""
    turn = st.tuples(st.integers(0, operations - 1), st.integers(1, 8))
    rest = [(one, ALL) for one in range(operations)]
    return st.lists(turn, min_size=operations, max_size=12).map(lambda turns: turns + rest)


@settings(RANDOM, max_examples=300)
@given(name=st.sampled_from(list(PAIRS)), turns=_turns(2))
def test_any_interleaving_of_two_leaves_what_they_could_have_left_one_by_one(
    name: str, turns: list[Turn], watch: Any, registry_of: Any, checks: Any
) -> None:
    _check_all(name, [turns], watch, registry_of, checks)


@settings(RANDOM, max_examples=300)
@given(name=st.sampled_from(list(CROWDS)), turns=_turns(3))
def test_any_interleaving_of_three_tears_nothing(
    name: str, turns: list[Turn], watch: Any, registry_of: Any, checks: Any
) -> None:
    scenario = CROWDS[name]
    store = _prepared(scenario, registry_of)

    outcomes = interleave(store, scenario, turns, watch, registry_of, checks)

    assert len(outcomes) == 3
