"""An execution environment that can die of the faults which are injected."""

import asyncio
from collections.abc import Callable

from lampyris_local.cloud.faults import Fate, Fates
from lampyris_local.cloud.faulty_endpoint import Verdict


class Mortal:
    """Lets the fates of a function's invocations happen. `kill` ends the process, `tell` says how."""

    def __init__(
        self, fates: Fates, function: str, *, kill: Callable[[], None], tell: Callable[[str], None]
    ) -> None:
        self._fates = fates
        self._function = function
        self._kill = kill
        self._tell = tell
        self._fate: Fate | None = None
        self._timer: asyncio.TimerHandle | None = None
        # It may be killed before it has a process, which is to die as soon as it is there.
        self.is_dead = False

    def begin(self) -> None:
        """Draw what befalls the invocation that begins."""
        self.is_dead = False
        self._fate = fate = self._fates.next(self._function)
        if fate.death is not None and fate.death.when == "moment":
            after_s = fate.death.after_s
            self._timer = asyncio.get_running_loop().call_later(
                after_s, self._die, f"killed {after_s:.2f} s after it began"
            )

    def end(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def survives(self) -> bool:
        """Whether the invocation's answer gets through; if not, its process is dead."""
        if self._fate is not None and self._fate.death is not None:
            self._die("killed as it answered")
        return not self.is_dead

    def calls(self, call: str) -> Verdict:
        if self._fate is None:
            return "pass"
        number, last, is_throttled = self._fate.next_call()
        if last is not None:
            return "kill before" if last == "before" else "kill after"
        if is_throttled:
            self._tell(f"call {number} throttled ({call}), {self._fate.name}")
            return "throttle"
        return "pass"

    def die(self, call: str, verdict: Verdict) -> None:
        assert self._fate is not None
        assert self._fate.death is not None
        number = self._fate.death.call
        self._die(f"killed {verdict.removeprefix('kill ')} its call {number} ({call})")

    def _die(self, how: str) -> None:
        assert self._fate is not None
        self._tell(f"{how}, {self._fate.name}")
        self._fate = None
        self.is_dead = True
        self.end()
        self._kill()
