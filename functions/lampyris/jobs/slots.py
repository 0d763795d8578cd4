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
    """Who holds a slot, and who waits for one: the names of jobs, each with the turn that it needs it for.

    A turn that is over never comes again. So who finds that one is may remove it, however late.
    """

    holders: tuple[str, ...] = ()
    waiting: tuple[str, ...] = ()


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
        return all(self._take(key, most, _turn_of(job)) for key, most in self._needed(job))

    def release(self, job: Job) -> Sequence[str]:
        """Give back the slots of a job that needs them no more; return which jobs to call now.

        Raises: TableUnavailable.
        """
        called = [one for key, most in self._needed(job) for one in self._give_back(key, most, _turn_of(job))]
        return tuple(dict.fromkeys(map(_job_of, called)))

    def _needed(self, job: Job) -> list[tuple[str, int]]:
        if job.kind == "member":
            return []  # it runs in its parent's
        # The narrowest first: who floods waits for slots of its own, and not before those that all share.
        needed = [(f"slots#by#{job.by}", self._limits.by_tenant)]
        if job.model is not None:
            needed.append((f"slots#model#{job.model}", self._limits.by_model))
        return [*needed, ("slots#all", self._limits.in_all)]

    def _take(self, key: str, most: int, turn: str) -> bool:
        def take(slots: _Slots) -> _Slots:
            holders, waiting = slots.holders, slots.waiting
            if turn in holders:
                return slots
            if len(holders) >= most:
                holders = tuple(filter(self._is_needed, holders))
            free = most - len(holders)
            if free > 0 and turn not in waiting[:free]:
                waiting = (*filter(self._is_needed, waiting[:free]), *waiting[free:])
            if turn not in waiting and len(waiting) < max(free, _MOST_WAITING):
                waiting = (*waiting, turn)
            if free > 0 and turn in waiting[:free]:
                return _Slots(holders=(*holders, turn), waiting=_without(waiting, turn))
            return _Slots(holders=holders, waiting=waiting)

        return turn in self._change(key, take).holders

    def _give_back(self, key: str, most: int, turn: str) -> Sequence[str]:
        """Give a slot back, or the place of one who waits; return those who may have a free slot now."""
        slots = self._change(
            key,
            lambda slots: _Slots(
                holders=_without(slots.holders, turn), waiting=_without(slots.waiting, turn)
            ),
        )
        return slots.waiting[: max(0, most - len(slots.holders))]

    def _is_needed(self, turn: str) -> bool:
        try:
            job = self._jobs.get(_job_of(turn))
        except JobNotFound:
            return False
        return job.needs_slot and _turn_of(job) == turn

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


def _turn_of(job: Job) -> str:
    return f"{job.id}@{job.turn}"


def _job_of(turn: str) -> str:
    return turn.partition("@")[0]


def _without(turns: tuple[str, ...], turn: str) -> tuple[str, ...]:
    return tuple(one for one in turns if one != turn)
