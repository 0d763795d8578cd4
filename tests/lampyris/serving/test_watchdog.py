from math import inf
from threading import Event
from time import perf_counter, sleep
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lampyris.serving.watchdog import Watchdog


class Options:
    """What the watchdog knows of onnxruntime's RunOptions; it tells when it is terminated."""

    def __init__(self) -> None:
        self.ended = Event()

    @property
    def terminate(self) -> bool:
        return self.ended.is_set()

    @terminate.setter
    def terminate(self, value: bool) -> None:
        assert value
        self.ended.set()


@pytest.fixture
def watchdog() -> Watchdog:
    return Watchdog(clock=perf_counter)


def watched(watchdog: Watchdog, left_s: float) -> Any:
    options: Any = Options()
    watchdog.watch(options, perf_counter() + left_s)
    return options


def test_a_run_past_its_deadline_is_terminated(watchdog: Watchdog) -> None:
    options = watched(watchdog, 0.01)

    assert options.ended.wait(10)


def test_a_deadline_that_has_passed_already_terminates_too(watchdog: Watchdog) -> None:
    options = watched(watchdog, -1)

    assert options.ended.wait(10)


def test_a_run_that_ended_in_time_is_let_be(watchdog: Watchdog) -> None:
    over = watched(watchdog, 0.4)
    watchdog.forget(over)
    under_way = watched(watchdog, 0.5)

    assert under_way.ended.wait(10)
    assert not over.terminate


def test_an_earlier_deadline_is_not_missed_for_a_later_one(watchdog: Watchdog) -> None:
    late = watched(watchdog, 60)
    sleep(0.01)  # the thread sleeps for a minute by now
    early = watched(watchdog, 0.01)

    assert early.ended.wait(10)
    assert not late.terminate


def test_it_wakes_again_after_it_had_nothing_to_watch(watchdog: Watchdog) -> None:
    over = watched(watchdog, 0.005)
    assert over.ended.wait(10)
    watchdog.forget(over)
    while watchdog._wakes_at_s != inf:
        sleep(0.001)

    assert watched(watchdog, 0.005).ended.wait(10)


def test_requests_with_growing_deadlines_do_not_wake_it(watchdog: Watchdog) -> None:
    first = watched(watchdog, 60)
    while watchdog._wake.is_set() or watchdog._wakes_at_s == inf:
        sleep(0.01)
    sleep(0.1)  # it sleeps for a minute by now

    for _ in range(3):
        watchdog.forget(watched(watchdog, 61))

    assert not watchdog._wake.is_set()
    watchdog.forget(first)


def test_without_a_deadline_no_thread_is_started(watchdog: Watchdog) -> None:
    options: Any = Options()

    watchdog.watch(options, inf)
    watchdog.forget(options)

    assert watchdog._thread is None
    assert watchdog._runs == {}


@given(runs=st.lists(st.tuples(st.floats(-0.01, 0.03), st.booleans()), min_size=1, max_size=8))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=20)
def test_whatever_the_order_of_deadlines_exactly_the_overdue_are_terminated(
    watchdog: Watchdog, runs: list[tuple[float, bool]]
) -> None:
    started = [(watched(watchdog, 600 if is_patient else left_s), is_patient) for left_s, is_patient in runs]

    for options, is_patient in started:
        assert is_patient or options.ended.wait(10)

    assert not any(options.terminate for options, is_patient in started if is_patient)
    for options, _ in started:
        watchdog.forget(options)
