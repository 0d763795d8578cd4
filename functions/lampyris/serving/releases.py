"""Which version of an alias answers a request: its share, its caller's key, and whether it can be loaded."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from lampyris.domain.manifest import Alias, Manifest
from lampyris.domain.traffic import pick, position
from lampyris.serving.resolver import Resolver
from lampyris.serving.sessions import Sessions
from lampyris.serving.trace import Trace

# How long a canary that could not be loaded is left alone: twice as long each time, up to a limit, as a
# failed attempt may cost a large download, and the memory of the models that serve.
_RETRY_S, _RETRY_AT_MOST_S = 30.0, 900.0
# What a canary may take of a request's time to be loaded; the rest is for the stable version.
_CANARY_SHARE = 0.5


if TYPE_CHECKING:  # making a protocol takes a cold start as long as reading this file
    from typing import Protocol

    class Asked(Protocol):
        """What of a request decides who answers it. Requests with one sticky key get one version."""

        @property
        def sticky_key(self) -> str: ...
        @property
        def deadline_s(self) -> float: ...
        @property
        def trace(self) -> Trace: ...


class Releases:
    """Chooses for one execution environment."""

    def __init__(
        self,
        resolver: Resolver,
        sessions: Sessions,
        *,
        clock: Callable[[], float],
        random: Callable[[], float],
    ) -> None:
        self._resolver = resolver
        self._sessions = sessions
        self._clock = clock
        self._random = random
        self._failed: dict[str, tuple[float, float]] = {}  # by artifact: until when, and for how long

    def choose(self, asked: "Asked", model: str, version: str) -> Manifest:
        """Return the version that answers, and note it.

        A canary is loaded here, and if that fails, for whatever reason, the stable version answers.
        Raises: what `Resolver.find` raises.
        """
        trace = asked.trace
        asked_s = self._clock()
        found = self._resolver.find(model, version)
        trace.resolved_s = (asked_s, self._clock())
        if isinstance(found, Manifest):
            trace.manifest = found
            return found
        trace.alias = found
        trace.manifest = found.stable if len(found.routes) == 1 else self._one_of(found, asked)
        return trace.manifest

    def _one_of(self, alias: Alias, asked: "Asked") -> Manifest:
        key = asked.sticky_key
        chosen = pick(alias.routes, position(alias.model, alias.alias, key) if key else self._random())
        if chosen is alias.stable or self._is_loaded(chosen, asked):
            return chosen
        asked.trace.canary = chosen
        return alias.stable

    def _is_loaded(self, canary: Manifest, asked: "Asked") -> bool:
        digest = canary.artifact.digest
        now_s = self._clock()
        until_s, waited_s = self._failed.get(digest, (now_s, 0.0))
        if now_s < until_s:
            return False
        try:
            _, asked.trace.is_cold = self._sessions.get(
                canary.artifact, deadline_s=now_s + (asked.deadline_s - now_s) * _CANARY_SHARE
            )
        except Exception as error:  # noqa: BLE001 - whatever it is, there is another version that may answer
            retry_s = min(max(waited_s * 2, _RETRY_S), _RETRY_AT_MOST_S)
            self._failed[digest] = (self._clock() + retry_s, retry_s)
            asked.trace.canary_error = error
            return False
        self._failed.pop(digest, None)
        return True
