"""Copies of answered requests for an alias' shadow, written down after the answer by a thread of their own.

Lambda freezes an environment once it has answered: a copy may be late, or lost. It never holds an answer up:
what does not find a place in a short queue is dropped, and counted.
"""

from collections import deque
from collections.abc import Callable, Mapping
from datetime import datetime
from threading import Lock, Semaphore, Thread
from typing import TYPE_CHECKING

import msgspec

from lampyris.domain.manifest import Alias, Route
from lampyris.domain.store import Store

if TYPE_CHECKING:  # numpy is behind them
    from lampyris.domain.tensors import Array
    from lampyris.serving.infer import Prediction

_WHOLE = 100
_WAITING = 8
# What copies may hold of the function's memory; while one is written it is there several times.
_MEMORY_SHARE = 1 / 32
# A string is counted without being looked at.
_STRING_BYTES = 256


class _Waiting(msgspec.Struct, frozen=True, kw_only=True):
    alias: Alias
    shadow: Route
    inputs: Mapping[str, "Array"]
    prediction: "Prediction"
    at: datetime
    held_bytes: int


class Shadowing:
    """Takes copies for one execution environment; `dropped` counts those that were lost.

    `random` draws from [0, 1), and `random_bytes` so many bytes.
    """

    def __init__(
        self,
        store: Store,
        *,
        memory_mb: int,
        random: Callable[[], float],
        random_bytes: Callable[[int], bytes],
        now: Callable[[], datetime],
    ) -> None:
        self._store = store
        self._limit_bytes = int(memory_mb * 2**20 * _MEMORY_SHARE)
        self._random = random
        self._random_bytes = random_bytes
        self._now = now
        self._waiting: deque[_Waiting] = deque()
        self._held = 0  # copies, with the one that is being written
        self._held_bytes = 0
        self._guard = Lock()
        self._wake = Semaphore(0)
        self._thread: Thread | None = None
        self.dropped = 0

    def offer(self, alias: Alias, inputs: Mapping[str, "Array"], prediction: "Prediction") -> None:
        """Have the shadow's share of requests copied. Never waits for the store, and never fails."""
        shadow = alias.shadow
        if shadow is None or shadow.manifest.version == prediction.manifest.version:
            return
        try:
            if self._random() * _WHOLE >= shadow.weight:
                return
            self._take(alias, shadow, inputs, prediction)
        except Exception:  # noqa: BLE001 - no memory, or no thread: the answer is made, and must go out
            self.dropped += 1

    def _take(
        self, alias: Alias, shadow: Route, inputs: Mapping[str, "Array"], prediction: "Prediction"
    ) -> None:
        held_bytes = sum(map(_size_bytes, (*inputs.values(), *prediction.outputs.values())))
        waiting = _Waiting(
            alias=alias,
            shadow=shadow,
            inputs=inputs,
            prediction=prediction,
            at=self._now(),
            held_bytes=held_bytes,
        )
        with self._guard:
            if self._held >= _WAITING or self._held_bytes + held_bytes > self._limit_bytes:
                self.dropped += 1
                return
            if self._thread is None:
                thread = Thread(target=self._work, name="shadowing", daemon=True)
                thread.start()
                self._thread = thread
            self._held += 1
            self._held_bytes += held_bytes
            self._waiting.append(waiting)
        self._wake.release()

    def _work(self) -> None:
        while True:
            self._wake.acquire()
            self._write_next()

    def _write_next(self) -> None:
        with self._guard:
            waiting = self._waiting.popleft()
        try:
            self._write(waiting)
        except Exception:  # noqa: BLE001 - the store is away, or there is no memory: a copy is worth no error
            self.dropped += 1
        finally:
            with self._guard:
                self._held -= 1
                self._held_bytes -= waiting.held_bytes

    def _write(self, waiting: _Waiting) -> None:
        from lampyris.domain.copies import Copy, copied, copy_id, encode_copy  # noqa: PLC0415 - for shadows alone
        from lampyris.domain.layout import copy_key  # noqa: PLC0415 - as above

        alias, prediction = waiting.alias, waiting.prediction
        copy = Copy(
            id=copy_id(waiting.at, self._random_bytes(10)),
            model=alias.model,
            alias=alias.alias,
            revision=alias.revision,
            answered=prediction.manifest.version,
            shadow=waiting.shadow.manifest.version,
            at=waiting.at,
            run_ms=prediction.run_ms,
            inputs=copied(waiting.inputs),
            outputs=copied(prediction.outputs),
        )
        self._store.put(copy_key(alias.model, alias.alias, alias.revision, copy.id), encode_copy(copy))


def _size_bytes(values: "Array") -> int:
    return values.size * _STRING_BYTES if values.dtype.kind == "O" else values.nbytes
