"""Models ready to run: loaded on first use, kept by digest, the least recently used dropped first."""

from collections import OrderedDict
from collections.abc import Callable
from threading import Lock
from typing import TYPE_CHECKING

import msgspec

from lampyris.domain.manifest import Artifact
from lampyris.domain.store import Store
from lampyris.serving.fetch import GRAPH_FILE, discard, fetch

if TYPE_CHECKING:  # imported when the first session is made, so that a download can start before it
    from pathlib import Path  # 7 ms of a cold start, before the download begins

    from onnxruntime import InferenceSession

_VCPU_MB = 1769
# Weights are mapped, pre-packed copies and activations are not: half the memory leaves room for them.
_MEMORY_SHARE = 0.5


class LoadTimes(msgspec.Struct, frozen=True, kw_only=True):
    """What a cold model cost, in milliseconds."""

    fetch_ms: float
    session_ms: float


class Loaded(msgspec.Struct, frozen=True, kw_only=True):
    """A session, what it cost to make, and the size of its artifact."""

    session: "InferenceSession"
    times: LoadTimes
    size_bytes: int


class Sessions:
    """A bounded cache of sessions; safe to use from the thread that preloads and the one that serves."""

    def __init__(
        self, store: Store, *, folder: "str | Path", memory_mb: int, clock: Callable[[], float]
    ) -> None:
        self._store = store
        self._folder = folder
        self._threads = max(1, memory_mb // _VCPU_MB)
        self._budget_bytes = int(memory_mb * 2**20 * _MEMORY_SHARE)
        self._clock = clock
        self._loaded: OrderedDict[str, Loaded] = OrderedDict()
        self._locks: dict[str, Lock] = {}
        self._guard = Lock()

    def get(self, artifact: Artifact) -> tuple[Loaded, bool]:
        """Return the artifact's session, and whether it had to be loaded for this call.

        Raises: ArtifactDamaged, StoreUnavailable, ObjectNotFound; the next call tries again.
        """
        digest = artifact.digest
        loaded = self._used(digest)
        if loaded is not None:
            return loaded, False
        with self._guard:
            lock = self._locks.setdefault(digest, Lock())
        with lock:
            loaded = self._used(digest)
            if loaded is not None:
                return loaded, False
            loaded = self._load(artifact)
            with self._guard:
                self._loaded[digest] = loaded
                self._drop_oldest()
            return loaded, True

    def _used(self, digest: str) -> Loaded | None:
        with self._guard:
            loaded = self._loaded.get(digest)
            if loaded is not None:
                self._loaded.move_to_end(digest)
            return loaded

    def _drop_oldest(self) -> None:
        held = sum(loaded.size_bytes for loaded in self._loaded.values())
        while held > self._budget_bytes and len(self._loaded) > 1:
            _, dropped = self._loaded.popitem(last=False)
            held -= dropped.size_bytes

    def _load(self, artifact: Artifact) -> Loaded:
        from pathlib import Path  # noqa: PLC0415 - see TYPE_CHECKING above

        started_s = self._clock()
        folder = Path(self._folder, artifact.digest)
        discard(folder)
        fetch(artifact, self._store, folder)
        fetched_s = self._clock()
        try:
            session = open_session(folder / GRAPH_FILE, threads=self._threads)
        finally:
            discard(folder)  # a mapped file lives on until its session is gone
        size_bytes = artifact.graph.size_bytes + (artifact.weights.size_bytes if artifact.weights else 0)
        times = LoadTimes(
            fetch_ms=(fetched_s - started_s) * 1000, session_ms=(self._clock() - fetched_s) * 1000
        )
        return Loaded(session=session, times=times, size_bytes=size_bytes)


def open_session(graph: "Path", *, threads: int) -> "InferenceSession":
    """Make a session of an optimised graph, with its weights file mapped beside it.

    The graph was optimised when it was published, so nothing is optimised here. Threads do not spin while
    they wait: on a share of a core that burns billed time.
    """
    import onnxruntime  # noqa: PLC0415 - see TYPE_CHECKING above

    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(str(graph), options, providers=["CPUExecutionProvider"])
