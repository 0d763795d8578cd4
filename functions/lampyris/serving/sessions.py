"""Models ready to run: loaded on first use, kept by digest, the least recently used dropped first.

A load has a thread of its own, so that it goes on when its request has no more time to wait for it: the next
request finds the model there, or nearer.
"""

import os
from collections import OrderedDict
from collections.abc import Callable
from contextlib import suppress
from math import inf
from threading import TIMEOUT_MAX, Event, Lock, Semaphore, Thread
from typing import TYPE_CHECKING

import msgspec

from lampyris.domain.manifest import Artifact
from lampyris.domain.store import Store
from lampyris.errors import ArtifactDamaged, ModelLoading, OutOfMemory, StorageFull
from lampyris.serving.cpu import Cpu, this_cpu
from lampyris.serving.fetch import GRAPH_FILE, discard, fetch, size_bytes
from lampyris.serving.memory import free_bytes, return_freed
from lampyris.serving.runtime import is_out_of_memory, open_session

if TYPE_CHECKING:  # imported when the first session is made, so that a download can start before it
    from onnxruntime import InferenceSession

    from lampyris.serving.tuned import TunedForm

_VCPU_MB = 1769
# What models leave free for requests: bodies, and the activations of a run.
_REQUESTS_SHARE = 0.25
# Measured: while a model loads it takes its size twice (int8: mapped, and pre-packed for the CPU), then once.
_LOADING_FACTOR = 2
# One is fetched while the session of another is made; more would only share the network and the memory.
_LOADS_AT_ONCE = 2


class LoadTimes(msgspec.Struct, frozen=True, kw_only=True):
    """What a cold model cost: milliseconds, and the bytes that came from the store."""

    fetch_ms: float
    session_ms: float
    fetched_bytes: int


class Loaded(msgspec.Struct, frozen=True, kw_only=True):
    """A session, and what it cost to make."""

    session: "InferenceSession"
    times: LoadTimes


class _Load:
    """A load under way: who waits, and what comes of it. The first who sees it done has had it loaded.

    `tuned` is None if there is no form of the artifact for one CPU alone.
    """

    def __init__(self) -> None:
        self.done = Event()
        self.loaded: Loaded | None = None
        self.error: BaseException | None = None
        self.is_claimed = False
        self.tuned: TunedForm | None = None


class Sessions:
    """A bounded cache of sessions; safe to use from the threads that preload and the one that serves.

    An artifact's session may be made of its form for this CPU; it is kept by the artifact's own digest.
    """

    def __init__(
        self,
        store: Store,
        *,
        folder: str | os.PathLike[str],
        memory_mb: int,
        clock: Callable[[], float],
        free_bytes: Callable[[int], int] = free_bytes,
        cpu: Callable[[], Cpu | None] = this_cpu,
    ) -> None:
        self._store = store
        self._folder = folder
        self._memory_mb = memory_mb
        self._clock = clock
        self._free_bytes = free_bytes
        self._cpu = cpu
        self._loaded: OrderedDict[str, Loaded] = OrderedDict()
        self._loads: dict[str, _Load] = {}
        self._promised: dict[str, int] = {}  # memory that the loads under way will take, in bytes
        self._guard = Lock()
        self._slots = Semaphore(_LOADS_AT_ONCE)
        self._is_swept = False
        self.damaged_artifacts = 0

    def get(self, artifact: Artifact, *, deadline_s: float = inf) -> tuple[Loaded, bool]:
        """Return the artifact's session, and whether it had to be loaded for this call.

        Raises: ModelLoading if it is not there by `deadline_s`; ArtifactDamaged, StoreUnavailable,
            ObjectNotFound, OutOfMemory, StorageFull: the next call tries again.
        """
        digest = artifact.digest
        with self._guard:
            loaded = self._loaded.get(digest)
            if loaded is not None:
                self._loaded.move_to_end(digest)
                return loaded, False
            load = self._loads.get(digest)
            if load is None:
                load = self._loads[digest] = _Load()
                self._start(load, artifact)
        if not load.done.wait(min(max(deadline_s - self._clock(), 0.0), TIMEOUT_MAX)):
            raise ModelLoading
        if load.loaded is None:
            raise load.error or AssertionError("a load is done with a session or an error")
        with self._guard:
            is_first, load.is_claimed = not load.is_claimed, True
        return load.loaded, is_first

    def drop(self) -> int:
        """Drop all sessions; return how many there were."""
        with self._guard:
            dropped = len(self._loaded)
            self._loaded.clear()
        if dropped:
            return_freed()
        return dropped

    def _start(self, load: _Load, artifact: Artifact) -> None:
        try:
            Thread(target=self._run, args=(load, artifact), daemon=True).start()
        except RuntimeError as error:  # no memory for its stack
            del self._loads[artifact.digest]
            raise OutOfMemory from error

    def _run(self, load: _Load, artifact: Artifact) -> None:
        digest = artifact.digest
        try:
            with self._slots:
                loaded = self._load(load, artifact)
            with self._guard:
                self._loaded[digest] = load.loaded = loaded
        except BaseException as error:  # noqa: BLE001 - raised again in the threads that wait
            load.error = error
        finally:
            with self._guard:
                del self._loads[digest]
            load.done.set()
        if load.loaded is not None and load.tuned is not None:
            load.tuned.ask()  # nobody waits for this

    def _load(self, load: _Load, artifact: Artifact) -> Loaded:
        needed_bytes = size_bytes(artifact) * _LOADING_FACTOR
        with self._guard:
            self._sweep()
            self._promised[artifact.digest] = needed_bytes
        try:
            self._make_room()
            try:
                return self._fetch_and_open(load, artifact)
            except (OutOfMemory, StorageFull):
                if not self.drop():
                    raise
            return self._fetch_and_open(load, artifact)
        finally:
            with self._guard:
                del self._promised[artifact.digest]

    def _make_room(self) -> None:
        """Drop the least recently used before anything is loaded, so that the peak stays inside too."""
        kept_free_bytes = self._memory_mb * 2**20 * _REQUESTS_SHARE
        while True:
            with self._guard:
                if not self._loaded:
                    return
                missing = sum(self._promised.values()) + kept_free_bytes > self._free_bytes(self._memory_mb)
                if not missing:
                    return
                self._loaded.popitem(last=False)
            return_freed()

    def _sweep(self) -> None:
        """Remove, before the first load, what a process before this one left behind when it was killed."""
        if not self._is_swept:
            self._is_swept = True
            for name in os.listdir(self._folder) if os.path.exists(self._folder) else ():
                discard(f"{self._folder}/{name}")

    def _fetch_and_open(self, load: _Load, artifact: Artifact) -> Loaded:
        started_s = self._clock()
        cpu = self._cpu() if artifact.tunable else None
        if cpu is not None:
            from lampyris.serving.tuned import TunedForm  # noqa: PLC0415 - most models have no use for it

            load.tuned = TunedForm(artifact, self._store, cpu)
            form = load.tuned.find()
            if form is not None:
                with suppress(Exception):  # whatever is wrong with it, the artifact itself may be sound
                    return self._open(form, started_s)
        return self._open(artifact, started_s)

    def _open(self, artifact: Artifact, started_s: float) -> Loaded:
        folder = f"{self._folder}/{artifact.digest}"
        try:
            fetch(artifact, self._store, folder)
        except ArtifactDamaged:
            self.damaged_artifacts += 1  # whoever waits for it, if anybody does
            raise
        fetched_s = self._clock()
        try:
            session = open_session(f"{folder}/{GRAPH_FILE}", threads=_threads(self._memory_mb))
        except Exception as error:
            if is_out_of_memory(error):
                raise OutOfMemory from error
            raise
        finally:
            discard(folder)  # a mapped file lives on until its session is gone
        times = LoadTimes(
            fetch_ms=(fetched_s - started_s) * 1000,
            session_ms=(self._clock() - fetched_s) * 1000,
            fetched_bytes=size_bytes(artifact),
        )
        return Loaded(session=session, times=times)


def _threads(memory_mb: int) -> int:
    """Return how many threads a run may keep busy: the function's share of cores, as far as there are any."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(memory_mb // _VCPU_MB, cores))
