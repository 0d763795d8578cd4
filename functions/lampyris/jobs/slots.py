"""How many jobs may be under way at once: of one tenant, for one model, in all.

Each slot list is one document: who holds a slot, and who waits for one. A job that ended without giving its
slot back is found out when the slots are full, so that no crash takes a slot away for good.
"""

from collections.abc import Callable, Sequence

import msgspec

from lampyris.errors import ItemChanged, ItemExists, ItemNotFound, TableUnavailable
from lampyris.jobs.job import Job
from lampyris.jobs.table import Item, Table

_TRIES = 50
_MOST_WAITING = 500  # whoever waits beyond that is not called, and asks again by itself


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """How many jobs at most; a job whose workers take turns counts as one."""

    in_all: int = 50
    by_tenant: int = 10
    by_model: int = 5


class _Slots(msgspec.Struct, frozen=True, kw_only=True):
    holders: tuple[str, ...] = ()
    waiting: tuple[str, ...] = ()


_decode = msgspec.json.Decoder(_Slots).decode
_encode = msgspec.json.Encoder().encode


class Slots:
    """`is_over` says whether a job needs no slot any more: it has ended, or it waits, or it is gone."""

    def __init__(self, table: Table, limits: Limits, *, is_over: Callable[[str], bool]) -> None:
        self._table = table
        self._limits = limits
        self._is_over = is_over

    def acquire(self, job: Job) -> bool:
        """Take the slots that a job needs; if one is not free, take none, and wait to be called.

        Raises: TableUnavailable.
        """
        taken: list[str] = []
        for key, most in self._needed(job):
            if not self._take(key, most, job.id):
                for other in taken:
                    self._give_back(other, job.id)
                return False
            taken.append(key)
        return True

    def release(self, job: Job) -> Sequence[str]:
        """Give a job's slots back; return which jobs to call now. Raises: TableUnavailable."""
        called = [self._give_back(key, job.id) for key, _ in self._needed(job)]
        return tuple(dict.fromkeys(one for one in called if one is not None))

    def _needed(self, job: Job) -> list[tuple[str, int]]:
        # The narrowest first: who floods waits for slots of its own, and not before those that all share.
        needed = [(f"slots#by#{job.by}", self._limits.by_tenant)]
        if job.model is not None:
            needed.append((f"slots#model#{job.model}", self._limits.by_model))
        return [*needed, ("slots#all", self._limits.in_all)]

    def _take(self, key: str, most: int, job: str) -> bool:
        def take(slots: _Slots) -> _Slots:
            if job in slots.holders:
                return slots
            holders = slots.holders
            if len(holders) >= most:
                holders = tuple(one for one in holders if not self._is_over(one))
            if len(holders) >= most:
                waits = job in slots.waiting or len(slots.waiting) >= _MOST_WAITING
                return _Slots(holders=holders, waiting=slots.waiting if waits else (*slots.waiting, job))
            waiting = tuple(one for one in slots.waiting if one != job)
            return _Slots(holders=(*holders, job), waiting=waiting)

        return job in self._change(key, take)[1].holders

    def _give_back(self, key: str, job: str) -> str | None:
        """Give a slot back; return who waited for it the longest."""

        def give_back(slots: _Slots) -> _Slots:
            if job not in slots.holders:
                return slots
            return _Slots(
                holders=tuple(one for one in slots.holders if one != job), waiting=slots.waiting[1:]
            )

        before, after = self._change(key, give_back)
        return before.waiting[0] if before.waiting and before != after else None

    def _change(self, key: str, change: Callable[[_Slots], _Slots]) -> tuple[_Slots, _Slots]:
        for _ in range(_TRIES):
            item = self._find(key)
            before = _Slots() if item is None else _decode(item.data)
            after = change(before)
            if after == before:
                return before, after
            try:
                if item is None:
                    self._table.create(key, _encode(after))
                else:
                    self._table.replace(item, _encode(after))
            except (ItemChanged, ItemExists):
                continue
            return before, after
        raise TableUnavailable(operation="change slots", cause="too many writers")

    def _find(self, key: str) -> Item | None:
        try:
            return self._table.get(key)
        except ItemNotFound:
            return None
