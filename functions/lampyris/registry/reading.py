"""Read many documents beside each other: each takes a round trip to the store."""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

from lampyris.registry.operations import MayGoOn, check_time, go_on

T = TypeVar("T")
K = TypeVar("K")

_AT_ONCE = 16
_AHEAD = 16 * _AT_ONCE


def read_ahead(read: Callable[[K], T], keys: Iterable[K], may_go_on: MayGoOn = go_on) -> Iterator[T]:
    """Yield what is read, in the order of the keys; some of it is held at a time. Raises: TimeIsOver."""
    waiting = iter(keys)
    with ThreadPoolExecutor(_AT_ONCE) as readers:
        while chosen := list(islice(waiting, _AHEAD)):
            check_time(may_go_on)
            yield from list(readers.map(read, chosen))


def read_each(read: Callable[[K], T], keys: Iterable[K], may_go_on: MayGoOn = go_on) -> list[T]:
    """Return what is read, in the order of the keys. Raises: TimeIsOver."""
    return list(read_ahead(read, keys, may_go_on))
