"""Rounds in which the members of a training exchange what they came to, through a bucket and nothing else.

    {prefix}{round}/{member}             what a member came to, or that it came too late
    {prefix}{round}/{name}-{piece}       a piece of work that the members of a round share out

Every object is created where none stands, and never changed. So a member that runs twice has one effect; and
whoever has waited long enough for a member takes its place in the round by writing there that it is absent:
whichever comes first counts, for all alike. A round is complete when every place is taken. Who finds its own
place taken goes on from the latest round instead.

How long somebody waits is counted by its own clock, and decides nothing but when it writes.
Source: the exchange through a store is that of Jiang et al. 2021 (LambdaML), section 3.2.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from time import monotonic, sleep
from typing import Final, TypeVar

import msgspec

from lampyris.domain.store import Store
from lampyris.errors import ObjectExists, ObjectNotFound

# A lease and a new worker's start take less: who died may be back before the round ends.
PATIENCE_S: Final = 90.0
# For a member that was absent in the round before: whoever takes its place comes when it comes.
_BRIEF: Final = 0.1
_PAUSES_S: Final = (0.02, 0.25)  # asking again costs money: the first pause, and the longest
_THREADS: Final = 16
_ABSENT: Final = b"absent"

_In = TypeVar("_In")
_Out = TypeVar("_Out")


class Behind(Exception):
    """Others are further than the round that was waited for; it may be deleted by now."""


class Brought(msgspec.Struct, frozen=True, kw_only=True):
    """What a member brought to a round: the object's key, and its first bytes."""

    key: str
    start: bytes


class Rounds:
    """The rounds below `prefix`, as the member `rank` of `size` sees them.

    `pause` waits for so many seconds; what it raises ends the waiting.
    """

    def __init__(
        self,
        store: Store,
        prefix: str,
        *,
        rank: int,
        size: int,
        patience_s: float = PATIENCE_S,
        pause: Callable[[float], None] = sleep,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self.rank = rank
        self.size = size
        self._store = store
        self._prefix = prefix
        self._patience_s = patience_s
        self._pause = pause
        self._clock = clock
        self._absent: frozenset[int] = frozenset()  # in the latest round
        self._left: dict[int, set[str]] = {}  # what this member left in which round

    def bring(self, number: int, data: bytes) -> bytes | None:
        """Take one's place in a round, and return what one brought, which counts if it was before.

        None if one came too late.
        """
        brought = self._created(number, self._place(number, self.rank), data)
        return None if brought == _ABSENT else brought

    def wait(self, number: int, *, own: bytes | None, first_bytes: int) -> dict[int, Brought]:
        """Wait until a round is complete; return so many bytes of what was brought, by member.

        `own` is what this member brought, if it knows. Raises: Behind.
        """
        found = {} if own is None else {self.rank: own}
        for waited_s in self._waits():
            missing = [one for one in range(self.size) if one not in found]
            starts = self._all(lambda one: self._start(number, one, first_bytes), missing)
            found |= {one: start for one, start in zip(missing, starts, strict=True) if start is not None}
            if len(found) == self.size:
                break
            if waited_s >= self._patience_s * _BRIEF and self._latest() > number:
                raise Behind
            for member in missing:
                if member not in found and waited_s >= self._patience_for(member):
                    self._created(number, self._place(number, member), _ABSENT)
        self._absent = frozenset(one for one, start in found.items() if start == _ABSENT)
        return {
            one: Brought(key=self._place(number, one), start=found[one])
            for one in sorted(found)
            if one not in self._absent
        }

    def read(self, ranges: Sequence[tuple[Brought, int, int]]) -> list[bytes]:
        """Read ranges of what members brought, each from a byte to another. Raises: Behind."""
        return self._all(lambda one: self._range(*one), ranges)

    def share_out(
        self, number: int, name: str, pieces: int, *, mine: int | None, do: Callable[[int], bytes]
    ) -> list[bytes]:
        """Do one's own piece of a round's work, and return all pieces.

        `do` gives the same for a piece whoever does it: one that nobody does in time is done here, too.
        Raises: Behind.
        """
        keys = [f"{self._folder(number)}{name}-{piece:04d}" for piece in range(pieces)]
        found: dict[int, bytes] = {}
        if mine is not None:
            found[mine] = self._created(number, keys[mine], do(mine))
        for waited_s in self._waits():
            missing = [piece for piece in range(pieces) if piece not in found]
            datas = self._all(lambda one: self._find(keys[one]), missing)
            found |= {one: data for one, data in zip(missing, datas, strict=True) if data is not None}
            if len(found) == pieces:
                break
            if waited_s >= self._patience_s * _BRIEF and self._latest() > number:
                raise Behind
            if waited_s >= self._patience_s:
                piece = next(one for one in range(pieces) if one not in found)
                found[piece] = self._created(number, keys[piece], do(piece))
        return [found[piece] for piece in range(pieces)]

    def newest(self) -> int | None:
        """Name the round to go on from: complete, or only to be waited for; None if there is none."""
        standing: dict[int, set[int]] = {}
        for number, name in self._standing():
            places = standing.setdefault(number, set())
            member, _, piece = name.partition("-")
            if member.isdecimal():
                places.add(int(member))
            if self.rank in {int(one) for one in (member, piece) if one.isdecimal()}:
                self._left.setdefault(number, set()).add(f"{self._folder(number)}{name}")
        if not standing:
            return None
        latest = max(standing)
        if self.rank in standing[latest] or len(standing[latest]) == self.size:
            return latest
        return latest - 1 if latest > 0 else None

    def tidy(self, keep: Iterable[int]) -> None:
        """Delete what this member left in other rounds than these, which nobody reads any more."""
        for number in sorted(set(self._left) - set(keep)):
            for key in sorted(self._left[number]):
                self._store.delete(key)
            del self._left[number]

    def _patience_for(self, member: int) -> float:
        return self._patience_s * (_BRIEF if member in self._absent else 1)

    def _waits(self) -> Iterator[float]:
        """Yield how long one has waited, ever more seldom."""
        since, pause_s = self._clock(), _PAUSES_S[0]
        while True:
            yield self._clock() - since
            self._pause(pause_s)
            pause_s = min(1.5 * pause_s, _PAUSES_S[1])

    def _created(self, number: int, key: str, data: bytes) -> bytes:
        """Create an object, and return what stands there: this, or what came before it."""
        self._left.setdefault(number, set()).add(key)
        while True:
            try:
                self._store.create(key, data)
            except ObjectExists:
                found = self._find(key)
                if found is not None:
                    return found
                self._pause(_PAUSES_S[0])  # somebody is writing there
            else:
                return data

    def _start(self, number: int, member: int, first_bytes: int) -> bytes | None:
        try:
            return bytes(self._store.get_range(self._place(number, member), 0, first_bytes))
        except ObjectNotFound:
            return None

    def _find(self, key: str) -> bytes | None:
        try:
            return self._store.get(key).data
        except ObjectNotFound:
            return None

    def _range(self, brought: Brought, begin: int, end: int) -> bytes:
        if begin == end or end <= len(brought.start):
            return brought.start[begin:end]
        try:
            return bytes(self._store.get_range(brought.key, begin, end - begin))
        except ObjectNotFound:
            raise Behind from None

    def _latest(self) -> int:
        return max((number for number, _ in self._standing()), default=-1)

    def _standing(self) -> Iterator[tuple[int, str]]:
        """Yield the rounds and the names of all that stands there."""
        for entry in self._store.list(self._prefix):
            number, _, name = entry.key.removeprefix(self._prefix).partition("/")
            if number.isdecimal():
                yield int(number), name

    def _all(self, do: Callable[[_In], _Out], those: Sequence[_In]) -> list[_Out]:
        """Do something with each at once: most of a request is waiting."""
        if len(those) < 2:  # noqa: PLR2004 - nothing to do at once
            return [do(one) for one in those]
        with ThreadPoolExecutor(min(len(those), _THREADS)) as threads:
            return list(threads.map(do, those))

    def _folder(self, number: int) -> str:
        return f"{self._prefix}{number:08d}/"

    def _place(self, number: int, member: int) -> str:
        return f"{self._folder(number)}{member:04d}"
