"""Whatever is done to a folder, it is as a bucket in memory to which the same was done."""

import tempfile
from collections.abc import Callable
from pathlib import Path

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from lampyris.adapters.folder_store import FolderStore
from lampyris.adapters.memory_store import MemoryStore
from lampyris.domain.store import Generation, Store
from lampyris.errors import LampyrisError

KEYS = ["b/x", "b/y/z", "b-c/é"]
PREFIXES = ["", "b/", "b/y/", "nothing/"]


class Step(msgspec.Struct, frozen=True):
    """A call; `key` and `other` are keys, or a prefix and where its listing goes on."""

    method: str
    key: str
    other: str = ""
    data: bytes = b""


STEPS = st.one_of(
    st.builds(
        Step,
        method=st.sampled_from(["put", "create", "replace", "replace by an old etag", "delete", "purge"]),
        key=st.sampled_from(KEYS),
        data=st.sampled_from([b"", b"1", b"22"]),
    ),
    st.builds(
        Step,
        method=st.sampled_from(["list", "list_folders"]),
        key=st.sampled_from(PREFIXES),
        other=st.sampled_from(["", "b/x", "b/y", "z"]),
    ),
)


class Subject:
    """A store, with the etag and the generation that each key had when it was first looked at."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._etags: dict[str, str] = {}
        self._generations: dict[str, list[Generation]] = {}

    def outcome(self, step: Step) -> object:
        calls: dict[str, Callable[[], object]] = {
            "put": lambda: self._store.put(step.key, step.data),
            "create": lambda: self._store.create(step.key, step.data),
            "replace": lambda: self._store.replace(step.key, step.data, self._store.get(step.key).etag),
            "replace by an old etag": lambda: self._store.replace(
                step.key, step.data, self._etags.get(step.key, "none")
            ),
            "delete": lambda: self._store.delete(step.key),
            "purge": lambda: self._store.purge(self._generations.get(step.key, [])),
            "list": lambda: [
                (entry.key, entry.size_bytes) for entry in self._store.list(step.key, step.other)
            ],
            "list_folders": lambda: list(self._store.list_folders(step.key)),
        }
        try:
            return calls[step.method]()
        except LampyrisError as error:
            return type(error)

    def look(self) -> dict[str, bytes]:
        """Remember what stands where nothing had been seen yet, and return all that stands."""
        standing = {entry.key: self._store.get(entry.key) for entry in self._store.list("")}
        for key, found in standing.items():
            self._etags.setdefault(key, found.etag)
            latest = [one for one in self._store.generations("") if one.key == key and one.is_latest]
            self._generations.setdefault(key, latest)
        return {key: found.data for key, found in standing.items()}


@settings(deadline=None, max_examples=30)
@given(steps=st.lists(STEPS, min_size=20, max_size=30))
def test_folder_does_as_memory_does(steps: list[Step]) -> None:
    with tempfile.TemporaryDirectory() as name:
        memory, folder = Subject(MemoryStore()), Subject(FolderStore(Path(name) / "registry"))
        for step in steps:
            assert folder.outcome(step) == memory.outcome(step), step
            assert folder.look() == memory.look()
