"""Bring an artifact from the store to disk, every part verified before anyone may load it."""

import errno
import os
from collections.abc import Callable, Iterator
from functools import partial
from threading import Lock, Thread

import msgspec
from blake3 import blake3

from lampyris.domain.layout import blob_key
from lampyris.domain.manifest import Artifact, Blob
from lampyris.domain.store import Store
from lampyris.errors import ArtifactDamaged, StorageFull

GRAPH_FILE = "graph.onnx"
WEIGHTS_FILE = "weights.bin"
# One connection to S3 carries some 90 MB/s; a function's network takes several at once.
_CONNECTIONS = 8
# A part that arrives damaged is fetched once more: the transfer may be to blame, and not what is stored.
_ATTEMPTS = 2
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class _Part(msgspec.Struct, frozen=True, kw_only=True):
    blob: Blob
    index: int
    file: int

    def fetch(self, store: Store) -> None:
        start = self.index * self.blob.part_size_bytes
        data = self._verified(store, start)
        while data:
            written = os.pwrite(self.file, data, start)
            data, start = data[written:], start + written

    def _verified(self, store: Store, start: int) -> memoryview:
        length = min(self.blob.part_size_bytes, self.blob.size_bytes - start)
        for _ in range(_ATTEMPTS):
            data = store.get_range(blob_key(self.blob.digest), start, length)
            if _hex_digest(self.blob, data) == self.blob.part_digests[self.index]:
                return data
        raise ArtifactDamaged(digest=self.blob.digest, part=self.index)


def _hex_digest(blob: Blob, data: memoryview) -> str:
    if blob.part_hash == "blake3":
        return blake3(data).hexdigest()
    from hashlib import sha256  # noqa: PLC0415 - for blobs of before there was BLAKE3

    return sha256(data).hexdigest()


def size_bytes(artifact: Artifact) -> int:
    """Return how much `fetch` fetches."""
    return artifact.graph.size_bytes + (artifact.weights.size_bytes if artifact.weights else 0)


def fetch(artifact: Artifact, store: Store, folder: str | os.PathLike[str]) -> None:
    """Write an artifact's files into `folder`, which must not exist; on failure it does not exist either.

    Raises: ArtifactDamaged if a part does not have its digest; StorageFull; ObjectNotFound, StoreUnavailable.
    """
    blobs = {GRAPH_FILE: artifact.graph} | ({WEIGHTS_FILE: artifact.weights} if artifact.weights else {})
    files: list[int] = []
    try:
        os.makedirs(folder, mode=0o700)
    except FileExistsError:  # another load's, which must not lose its files
        raise
    except OSError as error:
        raise StorageFull(size_bytes=size_bytes(artifact)) from error
    try:
        parts: list[_Part] = []
        for name, blob in blobs.items():
            file = os.open(f"{folder}/{name}", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            files.append(file)
            parts += [_Part(blob=blob, index=index, file=file) for index in range(len(blob.part_digests))]
        _in_parallel([partial(part.fetch, store) for part in parts])
    except BaseException as error:
        discard(folder)
        if isinstance(error, OSError) and error.errno in _NO_ROOM:
            raise StorageFull(size_bytes=size_bytes(artifact)) from error
        raise
    finally:
        for file in files:
            os.close(file)


def discard(folder: str | os.PathLike[str]) -> None:
    """Remove what `fetch` wrote, whole or in part; no folder is fine. (shutil is 5 ms of a cold start.)"""
    if os.path.exists(folder):
        for name in os.listdir(folder):
            os.unlink(f"{folder}/{name}")
        os.rmdir(folder)


def _in_parallel(tasks: list[Callable[[], None]]) -> None:
    """Run all tasks on a few threads, this one among them; raise the first error once none is under way.

    `concurrent.futures` would do, and would cost a cold start 10 ms to import.
    """
    waiting: Iterator[Callable[[], None]] = iter(tasks)
    lock = Lock()
    failures: list[BaseException] = []

    def work() -> None:
        while not failures:
            with lock:
                task = next(waiting, None)
            if task is None:
                return
            try:
                task()
            except BaseException as error:  # noqa: BLE001 - raised again in the caller's thread
                failures.append(error)

    threads: list[Thread] = []
    for _ in range(min(_CONNECTIONS, len(tasks)) - 1):
        thread = Thread(target=work)
        try:
            thread.start()
        except RuntimeError:  # no memory for its stack: those that there are, and this one, do its share
            break
        threads.append(thread)
    work()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]
