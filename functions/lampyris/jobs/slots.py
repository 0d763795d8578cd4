"""How many jobs may be under way at once: of one tenant, for one model, in all.

Each list of slots is one document: who holds a slot, and who waits for one. A job that needs its slot no more
without having given it back is found out when the slots are full, so that no crash takes a slot for good.
"""

from collections.abc import Callable, Sequence

import msgspec

from lampyris.errors import ItemChanged, ItemExists, ItemNotFound, JobNotFound, TableUnavailable
from lampyris.jobs.job import Job
from lampyris.jobs.jobs import Jobs
from lampyris.jobs.table import Item

_TRIES = 50
_MOST_WAITING = 500  # whoever waits beyond that is not called, and asks again by itself


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """How many jobs at most; a job whose workers take turns counts as one."""

    in_all: int = 50
    by_tenant: int = 10
    by_model: int = 5


class _Slots(msgspec.Struct, frozen=True, kw_only=True):
    """`asked` counts who got a slot, also if it had it: who removes one finds out that it is wanted again."""

    holders: tuple[str, ...] = ()
    waiting: tuple[str, ...] = ()
    asked: int = 0


_decode = msgspec.json.Decoder(_Slots).decode
_encode = msgspec.json.Encoder().encode


class Slots:
    def __init__(self, jobs: Jobs, limits: Limits) -> None:
        self._jobs = jobs
        self._limits = limits

    def acquire(self, job: Job) -> bool:
        """Take the slots that a job needs, one after the other; False if it has to wait to be called.

        It keeps those that it has while it waits for the next: as all take them in the same order, somebody
        always goes on.
        Raises: TableUnavailable.
        """
        return all(self._take(key, most, job.id) for key, most in self._needed(job))

    def release(self, job: Job) -> Sequence[str]:
        """Give back the slots of a job that needs them no more; return which jobs to call now.

        Raises: TableUnavailable.
        """
        called = [one for key, most in self._needed(job) for one in self._give_back(key, most, job.id)]
        return tuple(dict.fromkeys(called))

    def _needed(self, job: Job) -> list[tuple[str, int]]:
        if job.kind == "member":
            return []  # it runs in its parent's
        # The narrowest first: who floods waits for slots of its own, and not before those that all share.
        needed = [(f"slots#by#{job.by}", self._limits.by_tenant)]
        if job.model is not None:
            needed.append((f"slots#model#{job.model}", self._limits.by_model))
        return [*needed, ("slots#all", self._limits.in_all)]

    def _take(self, key: str, most: int, job: str) -> bool:
        def take(slots: _Slots) -> _Slots:
            holders, waiting = slots.holders, slots.waiting
            if job not in holders:
                if len(holders) >= most:
                    holders = tuple(filter(self._is_needed, holders))
                free = most - len(holders)
                if free > 0 and job not in waiting[:free]:
                    waiting = (*filter(self._is_needed, waiting[:free]), *waiting[free:])
                if job not in waiting and len(waiting) < max(free, _MOST_WAITING):
                    waiting = (*waiting, job)
                if free <= 0 or job not in waiting[:free]:
                    return _Slots(holders=holders, waiting=waiting, asked=slots.asked)
                holders = (*holders, job)
            return _Slots(
                holders=holders,
                waiting=tuple(one for one in waiting if one != job),
                asked=slots.asked + 1,
            )

        return job in self._change(key, take).holders

    def _give_back(self, key: str, most: int, job: str) -> Sequence[str]:
        """Give a slot back, or the place of one who waits; return those who may have a free slot now."""

        def give_back(slots: _Slots) -> _Slots:
            # It is read here, after the slots: if it takes them again meanwhile, these have changed.
            if self._is_needed(job):
                return slots
            return _Slots(
                holders=tuple(one for one in slots.holders if one != job),
                waiting=tuple(one for one in slots.waiting if one != job),
                asked=slots.asked,
            )

        slots = self._change(key, give_back)
        return slots.waiting[: max(0, most - len(slots.holders))]

    def _is_needed(self, job: str) -> bool:
        try:
            return self._jobs.get(job).needs_slot
        except JobNotFound:
            return False

    def _change(self, key: str, change: Callable[[_Slots], _Slots]) -> _Slots:
        for _ in range(_TRIES):
            item = self._find(key)
            before = _Slots() if item is None else _decode(item.data)
            after = change(before)
            if after == before:
                return before
            try:
                if item is None:
                    self._jobs.table.create(key, _encode(after))
                else:
                    self._jobs.table.replace(item, _encode(after))
            except (ItemChanged, ItemExists):
                continue
            return after
        raise TableUnavailable(operation="change slots", cause="too many writers")

    def _find(self, key: str) -> Item | None:
        try:
            return self._jobs.table.get(key)
        except ItemNotFound:
            return None
