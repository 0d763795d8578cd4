"""Work one step ahead in a thread: the next rows are read and decoded while the session runs on these."""

from collections.abc import Iterable, Iterator
from queue import Empty, Full, Queue
from threading import Event, Thread
from typing import Generic, TypeVar

T = TypeVar("T")

# How often a thread that waits looks whether anybody still wants what it has.
_LOOK_S = 0.2


class _End:
    """What the thread puts last: why it ended, if not because there is no more."""

    def __init__(self, error: BaseException | None) -> None:
        self.error = error


class _Ahead(Generic[T]):
    def __init__(self, source: Iterable[T], depth: int) -> None:
        self._source = source
        self._queue: Queue[T | _End] = Queue(maxsize=depth)
        self._over = Event()
        self._thread = Thread(target=self._work, name="ahead", daemon=True)

    def items(self) -> Iterator[T]:
        self._thread.start()
        try:
            while not isinstance(item := self._queue.get(), _End):
                yield item
            if item.error is not None:
                raise item.error
        finally:
            self._stop()

    def _work(self) -> None:
        try:
            for item in self._source:
                if not self._put(item):
                    return
        except BaseException as error:  # noqa: BLE001 - raised again where the items are taken
            self._put(_End(error))
        else:
            self._put(_End(None))

    def _put(self, item: T | _End) -> bool:
        while not self._over.is_set():
            try:
                self._queue.put(item, timeout=_LOOK_S)
            except Full:
                continue
            return True
        return False

    def _stop(self) -> None:
        self._over.set()
        while self._thread.is_alive():  # it may wait for room in the queue
            try:
                self._queue.get_nowait()
            except Empty:
                self._thread.join(_LOOK_S)


def ahead(source: Iterable[T], *, depth: int = 1) -> Iterator[T]:
    """Yield what `source` yields, which runs in a thread, up to `depth` steps ahead and one that is done.

    What it raises is raised here, in its place. Who stops early stops the thread as well.
    """
    return _Ahead(source, depth).items()
