"""From the inbox to a live version, whatever fails on the way and however often it comes."""

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, Literal

import msgspec
import onnx
import onnxruntime
import pytest

from lampyris.adapters.memory_store import MemoryStore
from lampyris.adapters.object_store import memory_store
from lampyris.domain.bundle import Bundle
from lampyris.domain.layout import BUNDLE_FILE, MODELS, Upload, alias_key, rejected_prefix
from lampyris.domain.manifest import Alias, Manifest, Rejection
from lampyris.domain.store import Entry, Generation, Store, Stored
from lampyris.errors import StoreUnavailable
from lampyris.publishing.admission import admit
from lampyris.publishing.confinement import Limits, run_trial
from lampyris.publishing.trial import try_model
from lampyris.registry.documents import list_versions, read_alias, read_rejection, read_version
from lampyris.serving.fetch import GRAPH_FILE, fetch

Files = dict[str, bytes]
NOW = datetime(2026, 7, 1, tzinfo=UTC)
LIMIT_BYTES = 2**30


def bundle_at(upload: str) -> Upload:
    return Upload(model="iris", upload=upload, file=BUNDLE_FILE)


def drop(store: Store, upload: Upload, files: Files) -> Upload:
    for name, data in files.items():
        store.put(upload.key if name == BUNDLE_FILE else upload.file_key(name), data)
    return upload


def publish(upload: Upload, store: Store, limit_bytes: int = LIMIT_BYTES) -> Manifest | Rejection:
    """Admit an upload, its trial in this process."""
    trial = partial(try_model, limit_bytes=limit_bytes)
    return admit(upload, store, by="a test", limit_bytes=limit_bytes, trial=trial, clock=lambda: NOW)


def live(store: Store) -> Alias:
    return read_alias(store, "iris", "live")[0]


@pytest.fixture
def store() -> MemoryStore:
    return memory_store()


def test_bundle_becomes_the_live_version(store: MemoryStore, bundle: Files) -> None:
    document = msgspec.json.decode(bundle[BUNDLE_FILE], type=Bundle)

    manifest = publish(drop(store, bundle_at("u1"), bundle), store)

    assert isinstance(manifest, Manifest)
    assert live(store).routes[0].manifest == manifest == read_version(store, "iris", 1)
    assert (manifest.upload, manifest.created_at) == ("u1", NOW)
    assert manifest.source == document.files["model.onnx"].digest
    assert manifest.signature == document.signature
    assert (manifest.metrics, manifest.provenance) == (document.metrics, document.provenance)
    assert manifest.artifact.onnxruntime == onnxruntime.__version__


def test_published_artifact_is_what_predicting_loads(
    store: MemoryStore, mlp: Callable[..., onnx.ModelProto], tmp_path: Path
) -> None:
    upload = Upload(model="iris", upload="u1", file="large.onnx")
    store.put(upload.key, mlp(300, 300, 3).SerializeToString())

    manifest = publish(upload, store)

    assert isinstance(manifest, Manifest)
    assert manifest.artifact.weights is not None
    fetch(manifest.artifact, store, tmp_path / "fetched")
    session = onnxruntime.InferenceSession(
        str(tmp_path / "fetched" / GRAPH_FILE), providers=["CPUExecutionProvider"]
    )
    assert [value.name for value in session.get_outputs()] == ["y"]


def test_trial_in_its_own_process_publishes_the_same(store: MemoryStore, bundle: Files) -> None:
    here = publish(drop(store, bundle_at("u1"), bundle), store)
    trial = partial(run_trial, limits=Limits(upload_bytes=LIMIT_BYTES, memory_bytes=2**30, time_s=60))

    there = admit(
        drop(store, bundle_at("u2"), bundle),
        store,
        by="a test",
        limit_bytes=LIMIT_BYTES,
        trial=trial,
        clock=lambda: NOW,
    )

    assert isinstance(here, Manifest)
    assert isinstance(there, Manifest)
    assert (there.version, there.artifact, there.signature) == (2, here.artifact, here.signature)
    assert there.evidence.files == here.evidence.files


def test_refused_upload_leaves_its_reason_and_nothing_else(
    store: MemoryStore, changed: Callable[..., Files]
) -> None:
    rejection = publish(drop(store, bundle_at("u1"), changed({"model.onnx": b"\x80pickle"})), store)

    assert isinstance(rejection, Rejection)
    assert (rejection.code, rejection.rejected_at) == ("not-onnx", NOW)
    assert "pickle" in rejection.detail
    assert read_rejection(store, "iris", "u1") == rejection
    assert list(store.list(MODELS)) == []
    assert list(store.list("blobs/")) == []


def test_refused_upload_leaves_the_live_version_live(
    store: MemoryStore, bundle: Files, changed: Callable[..., Files]
) -> None:
    publish(drop(store, bundle_at("u1"), bundle), store)
    before = store.get(alias_key("iris", "live"))

    publish(drop(store, bundle_at("u2"), changed(format=2)), store)

    assert store.get(alias_key("iris", "live")) == before
    assert list_versions(store, "iris") == [1]


def test_too_large_upload_is_refused_with_both_sizes(store: MemoryStore, bundle: Files) -> None:
    rejection = publish(drop(store, bundle_at("u1"), bundle), store, limit_bytes=100)

    assert isinstance(rejection, Rejection)
    assert rejection.code == "upload-too-large"
    assert "at most 100" in rejection.detail


def test_upload_delivered_twice_is_one_version(store: MemoryStore, bundle: Files) -> None:
    upload = drop(store, bundle_at("u1"), bundle)
    first = publish(upload, store)

    again = publish(upload, store)

    assert again == first
    assert list_versions(store, "iris") == [1]
    assert live(store).revision == 1


def test_upload_delivered_again_after_the_inbox_was_emptied_is_the_version_it_made(bundle: Files) -> None:
    store = memory_store()
    upload = drop(store, bundle_at("u1"), bundle)
    first = publish(upload, store)
    store.delete(upload.key)

    assert publish(upload, store) == first
    assert list(store.list(rejected_prefix("iris"))) == []


def test_upload_that_is_gone_before_its_turn_is_refused(store: MemoryStore) -> None:
    rejection = publish(bundle_at("u1"), store)

    assert isinstance(rejection, Rejection)
    assert rejection.code == "upload-gone"


def test_refused_upload_that_is_gone_keeps_its_first_reason(bundle: Files) -> None:
    store = memory_store()
    upload = drop(store, bundle_at("u1"), {**bundle, "probe.json": b"{}"})
    first = publish(upload, store)
    store.delete(upload.key)

    assert publish(upload, store) == first


def test_same_place_written_again_later_is_a_new_version(
    store: MemoryStore, mlp: Callable[..., onnx.ModelProto]
) -> None:
    nightly = Upload(model="iris", upload="nightly", file="model.onnx")
    store.put(nightly.key, mlp(4, 3, seed=1).SerializeToString())
    publish(nightly, store)
    store.put(nightly.key, mlp(4, 3, seed=2).SerializeToString())

    publish(nightly, store)

    assert list_versions(store, "iris") == [1, 2]
    assert live(store).routes[0].manifest.version == 2


def test_upload_delivered_twice_at_once_is_one_version(store: MemoryStore, bundle: Files) -> None:
    upload = drop(store, bundle_at("u1"), bundle)
    start = threading.Barrier(3)

    def race(_: int) -> Manifest | Rejection:
        start.wait()
        return publish(upload, store)

    with ThreadPoolExecutor(3) as pool:
        made = list(pool.map(race, range(3)))

    assert made[0] == made[1] == made[2]
    assert list_versions(store, "iris") == [1]


def test_eight_uploads_at_once_are_eight_versions_and_the_newest_is_live(
    store: MemoryStore, bundle: Files
) -> None:
    uploads = [drop(store, bundle_at(f"u{number}"), bundle) for number in range(8)]
    start = threading.Barrier(8)

    def race(upload: Upload) -> Manifest | Rejection:
        start.wait()
        return publish(upload, store)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(race, uploads))

    assert list_versions(store, "iris") == list(range(1, 9))
    assert live(store).routes[0].manifest.version == 8


class Failing:
    """A store that fails at its k-th call, before or after the call has taken effect."""

    def __init__(self, store: MemoryStore, *, at: int, when: str) -> None:
        self._store = store
        self._calls_left = at
        self._when = when
        self.failed = False

    def _call(self, operation: Callable[..., Any], *arguments: object) -> Any:
        self._calls_left -= 1
        if self._calls_left:
            return operation(*arguments)
        self.failed = True
        if self._when == "after":
            operation(*arguments)
        raise StoreUnavailable(operation=operation.__name__, cause="it fails on purpose")

    def get(self, key: str) -> Stored:
        return self._call(self._store.get, key)  # type: ignore[no-any-return]  # what the operation returns

    def get_if_changed(self, key: str, etag: str) -> Stored | None:
        return self._call(self._store.get_if_changed, key, etag)  # type: ignore[no-any-return]  # as above

    def get_range(self, key: str, start: int, length: int, etag: str | None = None) -> memoryview:
        return self._call(self._store.get_range, key, start, length, etag)  # type: ignore[no-any-return]  # as above

    def head(self, key: str) -> Entry:
        return self._call(self._store.head, key)  # type: ignore[no-any-return]  # as above

    def size_bytes(self, key: str) -> int:
        return self._call(self._store.size_bytes, key)  # type: ignore[no-any-return]  # as above

    def put(self, key: str, data: bytes | Path, headers: Mapping[str, str] | None = None) -> None:
        self._call(self._store.put, key, data, headers)

    def create(self, key: str, data: bytes, headers: Mapping[str, str] | None = None) -> None:
        self._call(self._store.create, key, data, headers)

    def replace(self, key: str, data: bytes, etag: str) -> None:
        self._call(self._store.replace, key, data, etag)

    def list(self, prefix: str, after: str = "") -> Iterator[Entry]:
        return self._call(self._store.list, prefix, after)  # type: ignore[no-any-return]  # as above

    def list_folders(self, prefix: str) -> Sequence[str]:
        return self._call(self._store.list_folders, prefix)  # type: ignore[no-any-return]  # as above

    def delete(self, key: str) -> None:
        self._call(self._store.delete, key)

    def generations(self, prefix: str) -> Iterator[Generation]:
        return self._call(self._store.generations, prefix)  # type: ignore[no-any-return]  # as above

    def purge(self, generations: Iterable[Generation]) -> None:
        self._call(self._store.purge, generations)

    def presign(self, method: Literal["GET", "PUT"], key: str, expires_s: int) -> str:
        return self._call(self._store.presign, method, key, expires_s)  # type: ignore[no-any-return]  # as above


@pytest.mark.parametrize("when", ["before", "after"])
def test_wherever_the_store_fails_the_next_delivery_finishes_one_version(bundle: Files, when: str) -> None:
    for call in range(1, 100):
        store = memory_store()
        publish(drop(store, bundle_at("u0"), bundle), store)
        upload = drop(store, bundle_at("u1"), bundle)
        failing = Failing(store, at=call, when=when)

        try:
            publish(upload, failing)
        except StoreUnavailable:
            publish(upload, store)

        assert list_versions(store, "iris") == [1, 2]
        assert live(store).routes[0].manifest == read_version(store, "iris", 2)
        assert live(store).revision == 2
        if not failing.failed:
            break
    assert call > 10


@pytest.mark.parametrize("when", ["before", "after"])
def test_wherever_the_store_fails_the_next_delivery_refuses_as_the_first_would_have(
    bundle: Files, when: str
) -> None:
    corrupt = {**bundle, "probe.json": b"{}"}
    for call in range(1, 100):
        store = memory_store()
        upload = drop(store, bundle_at("u1"), corrupt)
        failing = Failing(store, at=call, when=when)

        try:
            publish(upload, failing)
        except StoreUnavailable:
            publish(upload, store)

        rejection = read_rejection(store, "iris", "u1")
        assert rejection is not None
        assert rejection.code == "corrupt-bundle"
        if not failing.failed:
            break
    assert call > 3
