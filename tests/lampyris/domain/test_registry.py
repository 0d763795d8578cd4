"""The registry on a bucket in memory: numbering, racing, repeating."""

import hashlib
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal

import msgspec
import pytest
from blake3 import blake3
from hypothesis import given, settings
from hypothesis import strategies as st

from lampyris.adapters.memory_store import MemoryStore
from lampyris.adapters.object_store import memory_store
from lampyris.domain import registry
from lampyris.domain.layout import alias_key, blob_key, version_key
from lampyris.domain.manifest import PART_SIZE_BYTES, Alias, Artifact, Blob, Manifest, Rejection
from lampyris.domain.signature import Signature, TensorSpec
from lampyris.domain.store import Entry, Generation, Stored
from lampyris.errors import AliasNotFound, ModelNotFound, ObjectExists, VersionNotFound

NOW = datetime(2026, 7, 1, tzinfo=UTC)
GRAPH = Blob(digest="ab" * 32, size_bytes=3, part_size_bytes=PART_SIZE_BYTES, part_digests=("cd" * 32,))
TENSOR = TensorSpec(name="x", datatype="FP32", shape=(-1, 4))


def draft(upload: str = "u1", model: str = "iris") -> Manifest:
    return Manifest(
        model=model,
        version=0,
        created_at=NOW,
        upload=upload,
        source="ef" * 32,
        signature=Signature(inputs=(TENSOR,), outputs=(TENSOR,)),
        artifact=Artifact(graph=GRAPH, weights=None, onnxruntime="1.31.1"),
    )


def publish(store: "MemoryStore | InTurn", upload: str, model: str = "iris") -> Manifest:
    manifest = registry.commit_version(store, draft(upload, model), None)
    registry.publish_to_alias(store, manifest, alias="live", changed_by="publish", reason=upload, now=NOW)
    return manifest


def live(store: MemoryStore) -> Alias:
    return registry.read_alias(store, "iris", "live")[0]


@pytest.fixture
def store() -> MemoryStore:
    return memory_store()


def test_first_version_is_number_one(store: MemoryStore) -> None:
    manifest = registry.commit_version(store, draft(), None)

    assert manifest.version == 1
    assert registry.read_version(store, "iris", 1) == manifest


def test_versions_are_numbered_without_gaps_and_in_numeric_order(store: MemoryStore) -> None:
    for number in range(1, 13):
        registry.commit_version(store, draft(f"u{number}"), None)

    assert registry.list_versions(store, "iris") == list(range(1, 13))


def test_models_are_listed_once_each(store: MemoryStore) -> None:
    for upload, model in (("u1", "iris"), ("u2", "iris"), ("u3", "digits")):
        publish(store, upload, model)

    assert registry.list_models(store) == ["digits", "iris"]


def test_model_whose_name_starts_with_anothers_keeps_its_own_versions(store: MemoryStore) -> None:
    registry.commit_version(store, draft("u1", "iris-large"), None)
    registry.commit_version(store, draft("u2", "iris-large"), None)

    manifest = registry.commit_version(store, draft("u3", "iris"), None)

    assert manifest.version == 1


def test_same_upload_makes_one_version(store: MemoryStore) -> None:
    first = registry.commit_version(store, draft("u1"), None)
    registry.commit_version(store, draft("u2"), None)

    again = registry.commit_version(store, draft("u1"), None)

    assert again == first
    assert registry.list_versions(store, "iris") == [1, 2]


def test_upload_written_after_the_versions_is_a_new_one(store: MemoryStore) -> None:
    registry.commit_version(store, draft("nightly"), None)
    (written,) = store.list("models/iris/versions/")

    manifest = registry.commit_version(store, draft("nightly"), written.modified_at + timedelta(seconds=1))

    assert manifest.version == 2


def test_version_is_found_by_its_upload(store: MemoryStore) -> None:
    registry.commit_version(store, draft("u1"), None)
    second = registry.commit_version(store, draft("u2"), None)
    written = max(entry.modified_at for entry in store.list("models/iris/versions/"))

    assert registry.find_upload(store, "iris", "u2", written) == second
    assert registry.find_upload(store, "iris", "u2", written + timedelta(seconds=1)) is None
    assert registry.find_upload(store, "iris", "u3") is None


def test_unknown_version_says_which(store: MemoryStore) -> None:
    publish(store, "u1")

    with pytest.raises(VersionNotFound, match="'iris' has no version 7"):
        registry.read_version(store, "iris", 7)


def test_unknown_alias_of_a_known_model_is_not_an_unknown_model(store: MemoryStore) -> None:
    publish(store, "u1")

    with pytest.raises(AliasNotFound):
        registry.read_alias(store, "iris", "canary")
    with pytest.raises(ModelNotFound):
        registry.read_alias(store, "rose", "live")


def test_aliases_are_listed_by_name(store: MemoryStore) -> None:
    manifest = publish(store, "u1")
    registry.publish_to_alias(store, manifest, alias="canary", changed_by="publish", reason="u1", now=NOW)

    assert registry.list_aliases(store, "iris") == ["canary", "live"]


def test_rejection_is_read_back_as_it_was_written(store: MemoryStore) -> None:
    rejection = Rejection(model="iris", upload="u1", code="not-onnx", detail="It is empty.", rejected_at=NOW)

    registry.write_rejection(store, rejection)

    assert registry.read_rejection(store, "iris", "u1") == rejection
    assert registry.read_rejection(store, "iris", "u2") is None


def test_alias_embeds_the_manifest_it_points_at(store: MemoryStore) -> None:
    manifest = publish(store, "u1")

    alias = live(store)

    assert [(route.weight, route.manifest) for route in alias.routes] == [(100, manifest)]
    assert (alias.revision, alias.changed_by, alias.reason, alias.previous) == (1, "publish", "u1", None)


def test_moved_alias_names_the_digest_of_the_document_before(store: MemoryStore) -> None:
    publish(store, "u1")
    before = store.get(alias_key("iris", "live")).data

    publish(store, "u2")

    assert live(store).revision == 2
    assert live(store).previous == hashlib.sha256(before).hexdigest()


def test_redelivery_does_not_undo_a_rollback(store: MemoryStore) -> None:
    first = publish(store, "u1")
    second = publish(store, "u2")
    stored = store.get(alias_key("iris", "live"))
    current = msgspec.json.decode(stored.data, type=Alias)
    back = msgspec.structs.replace(
        current, revision=3, routes=(msgspec.structs.replace(current.routes[0], manifest=first),)
    )
    store.replace(alias_key("iris", "live"), msgspec.json.encode(back), stored.etag)

    registry.publish_to_alias(store, second, alias="live", changed_by="publish", reason="again", now=NOW)

    assert live(store) == back


def test_older_upload_that_finishes_last_does_not_take_the_alias_back(store: MemoryStore) -> None:
    older = registry.commit_version(store, draft("u1"), None)
    publish(store, "u2")

    alias = registry.publish_to_alias(
        store, older, alias="live", changed_by="publish", reason="late", now=NOW
    )

    assert alias.newest_published == 2
    assert live(store).routes[0].manifest.version == 2


def test_eight_racing_uploads_make_eight_versions_and_the_newest_is_live(store: MemoryStore) -> None:
    start = threading.Barrier(8)

    def race(upload: str) -> int:
        start.wait()
        return publish(store, upload).version

    with ThreadPoolExecutor(8) as pool:
        numbers = list(pool.map(race, [f"u{number}" for number in range(8)]))

    assert sorted(numbers) == list(range(1, 9))
    assert registry.list_versions(store, "iris") == list(range(1, 9))
    assert live(store).routes[0].manifest.version == 8


def test_eight_racing_deliveries_of_one_upload_make_one_version(store: MemoryStore) -> None:
    start = threading.Barrier(8)

    def race(_: int) -> int:
        start.wait()
        return publish(store, "u1").version

    with ThreadPoolExecutor(8) as pool:
        numbers = list(pool.map(race, range(8)))

    assert numbers == [1] * 8
    assert registry.list_versions(store, "iris") == [1]
    assert live(store).revision == 1


class BusyAtFirst(MemoryStore):
    """A bucket that, as S3 may, answers a first conditional write with a conflict and holds nothing."""

    def __init__(self) -> None:
        super().__init__()
        self._busy = True

    def create(self, key: str, data: bytes) -> None:
        if self._busy:
            self._busy = False
            raise ObjectExists(key=key)
        super().create(key, data)


def test_conflict_that_left_no_version_behind_leaves_no_gap() -> None:
    manifest = registry.commit_version(BusyAtFirst(), draft(), None)

    assert manifest.version == 1


class Schedule:
    """Lets threads take turns in a drawn order, a store call each; whoever is left alone runs on."""

    def __init__(self, order: list[int], publishers: int) -> None:
        self._order = iter(order)
        self._running = set(range(publishers))
        self._changed = threading.Condition()
        self._turn = next(self._order, 0)

    def wait(self, publisher: int) -> None:
        with self._changed:
            assert self._changed.wait_for(
                lambda: self._turn == publisher or self._turn not in self._running, timeout=10
            )
            self._turn = next(self._order, publisher)
            self._changed.notify_all()

    def leave(self, publisher: int) -> None:
        with self._changed:
            self._running.discard(publisher)
            self._changed.notify_all()


class InTurn:
    """A store whose every call waits for its publisher's turn."""

    def __init__(self, store: MemoryStore, schedule: Schedule, publisher: int) -> None:
        self._store = store
        self._wait: Callable[[], None] = lambda: schedule.wait(publisher)

    def get(self, key: str) -> Stored:
        self._wait()
        return self._store.get(key)

    def get_if_changed(self, key: str, etag: str) -> Stored | None:
        self._wait()
        return self._store.get_if_changed(key, etag)

    def get_range(self, key: str, start: int, length: int) -> memoryview:
        self._wait()
        return self._store.get_range(key, start, length)

    def size_bytes(self, key: str) -> int:
        self._wait()
        return self._store.size_bytes(key)

    def put(self, key: str, data: bytes | Path, headers: Mapping[str, str] | None = None) -> None:
        self._wait()
        self._store.put(key, data, headers)

    def create(self, key: str, data: bytes) -> None:
        self._wait()
        self._store.create(key, data)

    def replace(self, key: str, data: bytes, etag: str) -> None:
        self._wait()
        self._store.replace(key, data, etag)

    def list(self, prefix: str, after: str = "") -> Iterator[Entry]:
        self._wait()
        return self._store.list(prefix, after)

    def list_folders(self, prefix: str) -> Sequence[str]:
        self._wait()
        return self._store.list_folders(prefix)

    def delete(self, key: str) -> None:
        self._wait()
        self._store.delete(key)

    def generations(self, prefix: str) -> Iterator[Generation]:
        self._wait()
        return self._store.generations(prefix)

    def purge(self, generations: Iterable[Generation]) -> None:
        self._wait()
        self._store.purge(generations)

    def presign(self, method: Literal["GET", "PUT"], key: str, expires_s: int) -> str:
        self._wait()
        return self._store.presign(method, key, expires_s)


def interleave(store: MemoryStore, uploads: list[str], order: list[int]) -> None:
    schedule = Schedule(order, len(uploads))

    def run(publisher: int) -> None:
        try:
            publish(InTurn(store, schedule, publisher), uploads[publisher])
        finally:
            schedule.leave(publisher)

    with ThreadPoolExecutor(len(uploads)) as pool:
        list(pool.map(run, range(len(uploads))))


@settings(deadline=None, max_examples=60)
@given(
    uploads=st.lists(st.sampled_from(["u1", "u2", "u3"]), min_size=2, max_size=3),
    order=st.lists(st.integers(0, 2), max_size=24),
)
def test_however_publishers_interleave_each_upload_is_one_version_and_the_newest_is_live(
    uploads: list[str], order: list[int]
) -> None:
    store = memory_store()

    interleave(store, uploads, order)

    versions = registry.list_versions(store, "iris")
    assert versions == list(range(1, len(set(uploads)) + 1))
    assert {registry.read_version(store, "iris", version).upload for version in versions} == set(uploads)
    assert live(store).routes[0].manifest == registry.read_version(store, "iris", versions[-1])
    assert live(store).newest_published == versions[-1]


@pytest.mark.parametrize("size_bytes", [0, 1, PART_SIZE_BYTES, 2 * PART_SIZE_BYTES + 5])
def test_blob_is_the_same_from_bytes_and_from_a_file(
    store: MemoryStore, tmp_path: Path, size_bytes: int
) -> None:
    data = bytes(index % 251 for index in range(256)) * (size_bytes // 256 + 1)
    data = data[:size_bytes]
    file = tmp_path / "blob"
    file.write_bytes(data)

    blob = registry.put_blob(store, file)

    assert registry.put_blob(store, data) == blob
    assert store.get(blob_key(blob.digest)).data == data
    assert blob.digest == hashlib.sha256(data).hexdigest()
    assert blob.size_bytes == size_bytes
    assert list(blob.part_digests) == [
        blake3(data[start : start + PART_SIZE_BYTES]).hexdigest()
        for start in range(0, size_bytes, PART_SIZE_BYTES)
    ]


def test_blob_that_stands_already_is_not_written_again(store: MemoryStore) -> None:
    blob = registry.put_blob(store, b"weights")
    (before,) = store.list("blobs/sha256/")

    registry.put_blob(store, b"weights")

    assert list(store.list("blobs/sha256/")) == [before]
    assert before.key == blob_key(blob.digest)


def test_documents_are_readable_json(store: MemoryStore) -> None:
    manifest = publish(store, "u1")

    document = msgspec.json.decode(store.get(version_key("iris", 1)).data)

    assert document["model"] == "iris"
    assert document["version"] == manifest.version
    assert document["created_at"] == "2026-07-01T00:00:00Z"


def test_document_of_a_later_format_is_neither_read_nor_replaced(store: MemoryStore) -> None:
    publish(store, "u1")
    key = alias_key("iris", "live")
    later = store.get(key).data.replace(b'{"format":1', b'{"format":2', 1)
    store.put(key, later)

    with pytest.raises(msgspec.ValidationError, match="format"):
        publish(store, "u2")

    assert store.get(key).data == later
