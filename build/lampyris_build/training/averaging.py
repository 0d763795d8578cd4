"""Members of a training that never meet: each takes its part of every batch, and now and then all average.

Between two rounds every member takes steps of its own; a round averages all that a training goes on from:
weights, statistics of batches, and what the optimizer remembers, so that nothing is a member's own then. With
a round after every step of SGD, this is what one process does with whole batches; with fewer rounds it is
local SGD.

Optimizers that divide a gradient by its size, as Adam does, take shorter steps in the common direction the
noisier it is: with batches N times smaller, √N times shorter (Malladi et al. 2022, On the SDEs and scaling
rules for adaptive gradient algorithms). Their learning rate is as many times higher for members; what that
adds in noise, the average takes away. SGD needs nothing of the kind.

Source: Stich 2019 (Local SGD converges fast and communicates little), algorithm 1; momentum that is averaged,
too, is Yu et al. 2019 (On the linear speedup of communication efficient momentum SGD), algorithm 1.
"""

import math
from collections.abc import Callable
from typing import Final

import msgspec

from lampyris_build.recipe.training import Training
from lampyris_build.training.batches import Batches
from lampyris_build.training.checkpoint import State
from lampyris_build.training.history import Epoch, best
from lampyris_build.training.packed import pack, unpack
from lampyris_build.training.reduction import SMALL_BYTES, reduced
from lampyris_build.training.rounds import Behind, Rounds
from lampyris_build.training.team import Elsewhere, Team, part_of

# Their steps are as long as the gradient: the average of the members' is that of the whole batch.
_PROPORTIONAL: Final = ("SGD", "ASGD")


class Averaging(Team):
    """A member among others. `every` says after how many steps all average; 0 is once an epoch.

    All average at the end of an epoch in any case, before they measure it together.
    """

    def __init__(
        self, rounds: Rounds, settings: Training, *, every: int = 0, small_bytes: int = SMALL_BYTES
    ) -> None:
        self.rank = rounds.rank
        self.size = rounds.size
        self._rounds = rounds
        self._keeps_best = settings.patience is not None
        self._every = every
        self._small_bytes = small_bytes
        self._steps = 0  # of an epoch
        self._weights: list[int] = []  # how many samples of a batch each member has
        self._number = 0  # of the latest round
        self._present: tuple[int, ...] = ()  # who was there

    def share(self, count: int) -> tuple[slice, float]:
        return part_of(count, self.rank, self.size)[0], 1.0  # its steps are of its part alone

    def adapted(self, settings: Training) -> Training:
        if settings.optimizer in _PROPORTIONAL:
            return settings
        rate = settings.learning_rate * math.sqrt(self.size)
        return msgspec.structs.replace(settings, learning_rate=rate)

    def begin(self, saved: State | None, batches: Batches) -> State | None:
        self._steps = len(batches)
        if not 0 < self._every < self._steps:
            self._every = self._steps
        parts = [part_of(batches.size, member, self.size)[0] for member in range(self.size)]
        self._weights = [part.stop - part.start for part in parts]
        return self._caught_up(saved)

    def agree(self, step: int, state: Callable[[], State]) -> State | None:
        epoch, before = divmod(step - 1, self._steps)
        if (before + 1) % self._every and before + 1 != self._steps:
            return None
        number = epoch * self._rounds_of_epoch + before // self._every
        own = state()
        brought = self._rounds.bring(number, pack(own | {"best": None}).to_bytes())
        try:
            if brought is not None:
                return self._averaged(number, brought) | {"best": own["best"]}
        except Behind:
            pass
        raise Elsewhere(self._caught_up(None))

    def sum_of_parts(self, measure: Callable[[int, int], float]) -> float:
        count = len(self._present)
        try:
            parts = self._rounds.share_out(
                self._number,
                "validation",
                count,
                mine=self._present.index(self.rank) if self.rank in self._present else None,
                do=lambda part: msgspec.json.encode(measure(part, count)),
            )
        except Behind:
            raise Elsewhere(self._caught_up(None)) from None
        return math.fsum(msgspec.json.decode(one, type=float) for one in parts)

    @property
    def _rounds_of_epoch(self) -> int:
        return math.ceil(self._steps / self._every)

    def _end_of(self, number: int) -> int:
        """Return the step after which a round comes."""
        epoch, within = divmod(number, self._rounds_of_epoch)
        return epoch * self._steps + min((within + 1) * self._every, self._steps)

    def _caught_up(self, saved: State | None) -> State | None:
        """Return where the members are, or what was saved if that is further: it came of where they are.

        What was saved at the very step of a round may be from before it, and its average counts.
        """
        while True:
            number = self._rounds.newest()
            if number is None or (saved is not None and saved["step"] > self._end_of(number)):
                return saved
            try:
                state = self._averaged(number)
                return state | {"best": self._best(state)}
            except Behind:
                continue

    def _averaged(self, number: int, own: bytes | None = None) -> State:
        """Wait for a round, and return what came of it. Raises: Behind."""
        self._present, average = self._read(number, own)
        self._number = number
        best_number = self._best_round(average)
        self._rounds.tidy(keep={number, number - 1, number if best_number is None else best_number})
        return average

    def _best(self, state: State) -> State | None:
        """Return the weights after the epoch that was best, whose round is kept for that. Raises: Behind."""
        number = self._best_round(state)
        return None if number is None else self._read(number)[1]["learner"]

    def _best_round(self, state: State) -> int | None:
        if not self._keeps_best or not state["rows"]:
            return None
        rows = tuple(Epoch(**row) for row in state["rows"])
        return best(rows).epoch * self._rounds_of_epoch - 1

    def _read(self, number: int, own: bytes | None = None) -> tuple[tuple[int, ...], State]:
        present, average = reduced(
            self._rounds, number, self._weights, own=own, small_bytes=self._small_bytes
        )
        return present, unpack(average)
