"""Ends a run whose time is over. A warm request costs it two dictionary entries; an idle environment nothing.

Deadlines grow: a request's is later than that of the request before. So the thread sleeps until the earliest
deadline that it has seen, and a request need not wake it. Only if it sleeps without one is it woken: once for
all the requests of half a minute, not once for each.
"""

from collections.abc import Callable
from math import inf
from threading import TIMEOUT_MAX, Event, Lock, Thread
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # most of a cold start; whoever runs a model has imported it
    from onnxruntime import RunOptions


class Watchdog:
    """Watches the runs under way from one thread, which starts with the first of them."""

    def __init__(self, *, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._runs: dict[int, tuple[float, RunOptions]] = {}
        self._wakes_at_s = inf
        self._wake = Event()
        self._starting = Lock()
        self._thread: Thread | None = None

    def watch(self, options: "RunOptions", deadline_s: float) -> None:
        """Terminate the run that has these options once `deadline_s` has passed; until `forget`."""
        self._runs[id(options)] = (deadline_s, options)
        # The order matters, here and in `_sweep`: note the run, then look when the thread wakes.
        if deadline_s < self._wakes_at_s:
            if self._thread is None:
                self._start()
            self._wake.set()

    def forget(self, options: "RunOptions") -> None:
        """Let the run be; it is over."""
        self._runs.pop(id(options), None)

    def _start(self) -> None:
        with self._starting:
            if self._thread is None:
                thread = Thread(target=self._guard, name="watchdog", daemon=True)
                thread.start()  # which may fail, and then the next run tries again
                self._thread = thread

    def _guard(self) -> None:
        while True:
            left_s = self._sweep() - self._clock()
            self._wake.wait(None if left_s == inf else min(max(left_s, 0.0), TIMEOUT_MAX))
            self._wake.clear()

    def _sweep(self) -> float:
        """Terminate what is over its time; return the earliest deadline of the others, when to look again."""
        self._wakes_at_s = inf
        now_s, earliest_s = self._clock(), inf
        for deadline_s, options in list(self._runs.values()):
            if deadline_s <= now_s:
                options.terminate = True
            else:
                earliest_s = min(earliest_s, deadline_s)
        self._wakes_at_s = earliest_s
        return earliest_s
