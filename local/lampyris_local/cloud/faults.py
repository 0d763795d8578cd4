"""Faults that the local cloud injects: what befalls invocations, calls and messages, drawn from a seed.

What is drawn depends on the seed and on the number of the thing alone, never on a clock: the 7th invocation
of a function meets the same fate in every run with the same faults and seed (its 2nd call of AWS is
throttled, say, and it is killed before its 3rd), and so does the 7th message that is received from a queue.
What is not replayed is which request is the 7th invocation and which call is its 3rd, where functions or
threads run side by side; and where exactly a process is that is killed at a moment rather than at a call.
"""

import random
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, fields
from typing import Literal, Self

# A killed invocation dies at one of its first calls of AWS (this many on average), or at a moment.
CALLS_UNTIL_KILL = 4
SOONEST_KILL_S = 0.01
LATEST_KILL_S = 60.0
# By how much a message, or its duplicate, comes late.
LEAST_DELAY_S = 0.2
LONGEST_DELAY_S = 20.0

When = Literal["before", "after", "moment"]


@dataclass(frozen=True, kw_only=True)
class Faults:
    """How likely each fault is, from 0 to 1.

    kill: an invocation of a function that a queue wakes is killed, before a call of AWS, after the call took
    effect but before its answer came, or at any moment; at the latest when it would answer. throttle: a call
    of AWS by any function is refused, with its service's own error. delay, duplicate, reorder: a message of
    a queue that wakes a function comes late, comes twice, or comes behind later ones; of a FIFO queue, whole
    batches come late, and nothing else happens.
    """

    kill: float = 0.0
    delay: float = 0.0
    duplicate: float = 0.0
    reorder: float = 0.0
    throttle: float = 0.0
    seed: int = 0

    @classmethod
    def parse(cls, text: str, seed: int = 0) -> Self:
        """Read faults as `kill=0.02,delay=0.1`. Raises: ValueError with a sentence for people."""
        known = [field.name for field in fields(cls) if field.name != "seed"]
        given: dict[str, float] = {}
        for part in filter(None, (part.strip() for part in text.split(","))):
            name, _, value = part.partition("=")
            if name not in known:
                raise ValueError(f"there is no fault {name!r}; there are {', '.join(known)}.")
            if name in given:
                raise ValueError(f"{name} is given twice.")
            given[name] = _probability(name, value)
        return cls(**given, seed=seed)

    def __str__(self) -> str:
        given = [(field.name, getattr(self, field.name)) for field in fields(self) if field.name != "seed"]
        likely = ", ".join(f"{name}={probability:g}" for name, probability in given if probability)
        return f"{likely} (seed {self.seed})"

    @property
    def disturb_functions(self) -> bool:
        return self.kill > 0 or self.throttle > 0

    @property
    def disturb_queues(self) -> bool:
        return self.delay > 0 or self.duplicate > 0 or self.reorder > 0

    def drawing(self, *number: str | int) -> random.Random:
        """Return the drawing for one thing, named by what it is and its number."""
        return random.Random("/".join(map(str, (self.seed, *number))))  # noqa: S311 - replayed, not secret


def _probability(name: str, value: str) -> float:
    try:
        number = float(value)
    except ValueError:
        number = -1.0
    if not 0 <= number <= 1:
        raise ValueError(f"{name} must be a probability from 0 to 1, as in {name}=0.1, not {value!r}.")
    return number


@dataclass(frozen=True, kw_only=True)
class Death:
    """When an invocation is killed: before or after its call of that number, or after so many seconds."""

    when: When
    call: int = 0
    after_s: float = 0.0


class Fate:
    """What befalls one invocation. Calls of AWS are counted as they come, those of its INIT included."""

    def __init__(self, faults: Faults, function: str, invocation: int, *, mortal: bool) -> None:
        self.name = f"invocation {invocation} of {function}"
        self._faults = faults
        self._key = (function, invocation)
        self._calls = 0
        self.death = _death(faults.drawing("kill", *self._key), faults.kill) if mortal else None

    def next_call(self) -> tuple[int, Literal["before", "after"] | None, bool]:
        """Return the number of the call that comes now, if and how it is the last, and if it is throttled."""
        self._calls += 1
        dies = self.death is not None and self.death.call == self._calls
        last = self.death.when if dies and self.death is not None and self.death.when != "moment" else None
        drawing = self._faults.drawing("throttle", *self._key, self._calls)
        return self._calls, last, drawing.random() < self._faults.throttle


def _death(drawing: random.Random, likely: float) -> Death | None:
    if drawing.random() >= likely:
        return None
    when: When = drawing.choice(("before", "after", "moment"))
    if when == "moment":
        return Death(when=when, after_s=_log_uniform(drawing, SOONEST_KILL_S, LATEST_KILL_S))
    return Death(when=when, call=1 + int(drawing.expovariate(1 / CALLS_UNTIL_KILL)))


class Fates:
    """Hands out fates; only the functions in `mortals`, by their logical ids, are ever killed."""

    def __init__(self, faults: Faults, mortals: Collection[str]) -> None:
        self._faults = faults
        self._mortals = frozenset(mortals)
        self._invocations: Counter[str] = Counter()

    def next(self, function: str) -> Fate:
        self._invocations[function] += 1
        number = self._invocations[function]
        return Fate(self._faults, function, number, mortal=function in self._mortals)


@dataclass(frozen=True, kw_only=True)
class Travel:
    """How a message comes: late, behind later ones, and how late a second time (None if only once)."""

    delay_s: float
    is_reordered: bool
    again_s: float | None


def travel(faults: Faults, queue: str, number: int) -> Travel:
    """Draw how the message that is received from a queue as number so-and-so comes to its function."""
    drawing = faults.drawing("message", queue, number)
    is_late, is_reordered, is_twice = (
        drawing.random() < likely for likely in (faults.delay, faults.reorder, faults.duplicate)
    )
    late_s, again_s = (_log_uniform(drawing, LEAST_DELAY_S, LONGEST_DELAY_S) for _ in range(2))
    return Travel(
        delay_s=late_s if is_late else 0.0,
        is_reordered=is_reordered and not is_late,
        again_s=again_s if is_twice else None,
    )


def _log_uniform(drawing: random.Random, least: float, most: float) -> float:
    """Draw from `least` to `most`, where each power of ten is as likely as the next."""
    return float(least * (most / least) ** drawing.random())
