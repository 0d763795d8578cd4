"""The training folder of a job, kept in the bucket: whole, for whoever goes on with it.

Each worker writes below its own generation, and what it wrote counts once the job's document names it. Files
that did not change stay where an earlier worker put them.
"""

import hashlib
import shutil
from contextlib import suppress
from pathlib import Path

import msgspec

from lampyris.domain.store import Store
from lampyris.errors import ObjectNotFound, StoreUnavailable
from lampyris.jobs.holding import Hold
from lampyris_build.training.files import write_atomically

_BLOCK_BYTES = 16 * 1024**2


class _Kept(msgspec.Struct, frozen=True, kw_only=True):
    """A file of the folder: where it stands in the bucket."""

    key: str
    digest: str
    size_bytes: int


class _Contents(msgspec.Struct, frozen=True, kw_only=True):
    files: dict[str, _Kept]


_decode = msgspec.json.Decoder(_Contents).decode


class Checkpoints:
    """Keeps `folder` for the job that is held."""

    def __init__(self, hold: Hold, store: Store, folder: Path) -> None:
        self._hold = hold
        self._store = store
        self._folder = folder
        self._prefix = f"jobs/{hold.job.id}/{hold.generation}/checkpoint/"
        self._kept: dict[str, _Kept] = {}
        self._count = 0

    def restore(self) -> None:
        """Bring what the job's document names; nothing, if it is not there any more: then all begins anew.

        Raises: StoreUnavailable, WriteFailed.
        """
        key = self._hold.job.checkpoint
        if key is None:
            return
        try:
            self._kept = fetch_checkpoint(self._store, key, self._folder)
        except ObjectNotFound:  # a job may be retried long after its files were cleared away
            shutil.rmtree(self._folder, ignore_errors=True)

    def keep(self) -> bool:
        """Keep the folder as it is now; False if nothing changed since it was kept, or brought.

        Raises: JobLost, StoreUnavailable, TableUnavailable.
        """
        files = {name: self._placed(name, path) for name, path in _files(self._folder).items()}
        if files == self._kept:
            return False
        for name, kept in files.items():
            if kept != self._kept.get(name):
                self._store.put(kept.key, self._folder / name)
        self._count += 1
        key = f"{self._prefix}{self._count:06}.json"
        self._store.put(key, msgspec.json.encode(_Contents(files=files)))
        before = self._hold.job.checkpoint
        self._hold.checkpoint(key)
        stale = {one.key for one in self._kept.values()} - {one.key for one in files.values()}
        self._kept = files
        _discard(self._store, [*stale, *([] if before is None else [before])])
        return True

    def _placed(self, name: str, path: Path) -> _Kept:
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        kept = self._kept.get(name)
        if kept is not None and kept.digest == digest:
            return kept
        return _Kept(key=f"{self._prefix}{digest}", digest=digest, size_bytes=path.stat().st_size)


def fetch_checkpoint(store: Store, key: str, folder: Path) -> dict[str, _Kept]:
    """Fill a folder with what a checkpoint holds. Raises: StoreUnavailable, ObjectNotFound, WriteFailed."""
    files = _decode(store.get(key).data).files
    for name, kept in files.items():
        parts = [
            store.get_range(kept.key, start, min(_BLOCK_BYTES, kept.size_bytes - start))
            for start in range(0, kept.size_bytes, _BLOCK_BYTES)
        ]
        write_atomically(folder / name, b"".join(parts))
    return files


def discard_checkpoints(store: Store, job: str) -> None:
    """Remove the checkpoints of a job that has succeeded; what cannot be removed stays."""
    with suppress(StoreUnavailable):
        keys = [entry.key for entry in store.list(f"jobs/{job}/") if "/checkpoint/" in entry.key]
        _discard(store, keys)


def _discard(store: Store, keys: list[str]) -> None:
    with suppress(StoreUnavailable):
        for key in keys:
            store.delete(key)


def _files(folder: Path) -> dict[str, Path]:
    """Return the folder's files by their place in it, without those that are being written."""
    found = sorted(path for path in folder.rglob("*") if path.is_file() and path.suffix != ".partial")
    return {path.relative_to(folder).as_posix(): path for path in found}
