"""Load the models that an environment was told to expect, beside the imports of INIT."""

import os
import sys
from collections.abc import Callable
from threading import Lock, Thread, get_native_id

from lampyris.domain.manifest import Alias, Manifest
from lampyris.serving.resolver import Resolver
from lampyris.serving.sessions import Sessions

# INIT may take 10 s; a model that is not there by then goes on loading while the first request waits for it.
INIT_WAIT_S = 8.0
# Before a snapshot INIT may take 130 s, and nothing should be under way when it is taken.
SNAPSHOT_WAIT_S = 120.0
# Enough that names are resolved while models load; each takes a stack.
_THREADS = 4
# The imports come first, as all else waits for them: downloads have the cores that they leave.
_NICENESS = 10


class Preload:
    """Models on their way. A failure is kept, not raised: the first request for the model meets it again."""

    def __init__(
        self,
        models: tuple[tuple[str, str], ...],
        resolver: Resolver,
        sessions: Sessions,
        *,
        clock: Callable[[], float],
    ) -> None:
        self._clock = clock
        self._resolver = resolver
        self._sessions = sessions
        self._models = models
        self._waiting = iter(models)
        self._lock = Lock()
        self._threads: list[Thread] = []
        self.failures: list[Exception] = []

    def start(self) -> None:
        """Begin to load; once more, after a snapshot was restored, for what has moved since."""
        self._waiting = iter(self._models)
        self.failures.clear()
        self._threads = [Thread(target=self._work, daemon=True) for _ in self._models[:_THREADS]]
        for thread in self._threads:
            thread.start()

    def wait(self, at_most_s: float = INIT_WAIT_S) -> None:
        """Wait until every model is loaded or has failed, but not past what INIT may take."""
        until_s = self._clock() + at_most_s
        for thread in self._threads:
            thread.join(timeout=max(0.0, until_s - self._clock()))

    def _work(self) -> None:
        if sys.platform == "linux":  # where a thread has a priority of its own, which its threads inherit
            os.setpriority(os.PRIO_PROCESS, get_native_id(), _NICENESS)
        while True:
            with self._lock:
                model = next(self._waiting, None)
            if model is None:
                return
            try:
                manifests = self._manifests(*model)
            except Exception as error:  # noqa: BLE001 - whatever it is, INIT must not die of it
                self.failures.append(error)
                continue
            for manifest in manifests:
                try:
                    self._sessions.get(manifest.artifact)
                except Exception as error:  # noqa: BLE001 - as above; the others may be sound
                    self.failures.append(error)

    def _manifests(self, model: str, alias: str) -> list[Manifest]:
        """Return what may answer for an alias: the stable version first, then its canaries."""
        found = self._resolver.find(model, alias)
        return [route.manifest for route in found.routes] if isinstance(found, Alias) else [found]
