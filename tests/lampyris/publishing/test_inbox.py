"""What arrives in the inbox, and what of it is taken."""

import hashlib
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lampyris.adapters.memory_store import MemoryStore
from lampyris.adapters.object_store import memory_store
from lampyris.domain.bundle import (
    EVALUATION_FILE,
    MODEL_FILE,
    PROBE_FILE,
    REFERENCE_FILE,
    Bundle,
    BundleFile,
)
from lampyris.domain.layout import BUNDLE_FILE, Upload
from lampyris.domain.manifest import PART_SIZE_BYTES
from lampyris.errors import CorruptBundle, UploadRefused, UploadTooLarge
from lampyris.publishing.inbox import Received, find_delivery, read_bundle, receive

Files = dict[str, bytes]
BUNDLE = Upload(model="iris", upload="u1", file=BUNDLE_FILE)
BARE = Upload(model="iris", upload="u1", file="model.onnx")
LIMIT_BYTES = 2**30


@pytest.fixture
def store() -> MemoryStore:
    return memory_store()


def drop(store: MemoryStore, files: Files) -> None:
    for name, data in files.items():
        store.put(BUNDLE.key if name == BUNDLE_FILE else BUNDLE.file_key(name), data)


def take(store: MemoryStore, upload: Upload, folder: Path, limit_bytes: int = LIMIT_BYTES) -> Received:
    delivery = find_delivery(store, upload)
    assert delivery is not None
    return receive(store, delivery, folder, limit_bytes=limit_bytes)


def test_upload_that_is_not_there_is_not_found(store: MemoryStore) -> None:
    store.put(BUNDLE.file_key(MODEL_FILE), b"a bundle's file, without its bundle")

    assert find_delivery(store, BUNDLE) is None


def test_upload_is_complete_when_its_last_object_was_written(store: MemoryStore, bundle: Files) -> None:
    drop(store, bundle)
    delivery = find_delivery(store, BUNDLE)

    assert delivery is not None
    assert delivery.completed_at == max(entry.modified_at for entry in store.list(BUNDLE.prefix))


def test_bundle_is_received_whole(store: MemoryStore, bundle: Files, folder: Path) -> None:
    drop(store, bundle)

    received = take(store, BUNDLE, folder)

    assert received.bundle == msgspec.json.decode(bundle[BUNDLE_FILE], type=Bundle)
    assert received.source == hashlib.sha256(bundle[MODEL_FILE]).hexdigest()
    assert (folder / MODEL_FILE).read_bytes() == bundle[MODEL_FILE]
    assert (folder / PROBE_FILE).read_bytes() == bundle[PROBE_FILE]


def test_what_a_bundle_is_measured_with_is_written_to_disk(
    store: MemoryStore, changed: Callable[..., Files], folder: Path
) -> None:
    drop(store, changed({EVALUATION_FILE: b"a test set", REFERENCE_FILE: b"the model in fp32"}))

    take(store, BUNDLE, folder)

    assert (folder / EVALUATION_FILE).read_bytes() == b"a test set"
    assert (folder / REFERENCE_FILE).read_bytes() == b"the model in fp32"


def test_only_names_of_ours_are_written_to_disk(
    store: MemoryStore, changed: Callable[..., Files], folder: Path
) -> None:
    drop(store, changed({"numpy.py": b"raise SystemExit"}))

    take(store, BUNDLE, folder)

    assert {file.name for file in folder.iterdir()} == {BUNDLE_FILE, MODEL_FILE, PROBE_FILE}


@pytest.mark.parametrize("size_bytes", [0, 1, PART_SIZE_BYTES, PART_SIZE_BYTES + 1])
def test_bare_model_of_any_size_arrives_as_it_was_sent(
    store: MemoryStore, folder: Path, size_bytes: int
) -> None:
    data = b"\x08" * size_bytes
    store.put(BARE.key, data)

    received = take(store, BARE, folder)

    assert (received.source, received.bundle) == (hashlib.sha256(data).hexdigest(), None)
    assert (folder / MODEL_FILE).read_bytes() == data


def test_too_large_upload_is_refused_before_it_is_read(
    store: MemoryStore, bundle: Files, folder: Path
) -> None:
    drop(store, bundle)
    size_bytes = sum(map(len, bundle.values()))

    with pytest.raises(UploadTooLarge, match=f"{size_bytes:,} bytes; at most {size_bytes - 1:,}"):
        take(store, BUNDLE, folder, limit_bytes=size_bytes - 1)
    assert list(folder.iterdir()) == []


def test_missing_file_is_refused_by_name(store: MemoryStore, bundle: Files, folder: Path) -> None:
    drop(store, {name: data for name, data in bundle.items() if name != PROBE_FILE})

    with pytest.raises(CorruptBundle, match=r"names files/probe\.json, which is missing"):
        take(store, BUNDLE, folder)


def test_extra_file_is_refused_by_name(store: MemoryStore, bundle: Files, folder: Path) -> None:
    drop(store, {**bundle, "weights.bin": b"x"})

    with pytest.raises(CorruptBundle, match=r"files/weights\.bin was uploaded, but"):
        take(store, BUNDLE, folder)


@pytest.mark.parametrize("key", [BUNDLE.signature_key, BUNDLE.instructions_key])
def test_files_beside_a_bundle_are_no_extra_files(
    store: MemoryStore, bundle: Files, folder: Path, key: str
) -> None:
    drop(store, bundle)
    store.put(key, b"{}" if key.endswith(".json") else bytes(64))

    received = take(store, BUNDLE, folder)

    assert key.removeprefix(BUNDLE.prefix) in received.files


@pytest.mark.parametrize("name", ["deep/bundle.sig", "deep/instructions.json", "bundle.sig.bak", "notes.txt"])
def test_file_of_another_name_or_place_is_refused(
    store: MemoryStore, bundle: Files, folder: Path, name: str
) -> None:
    drop(store, bundle)
    store.put(f"{BUNDLE.prefix}{name}", b"x")

    with pytest.raises(CorruptBundle, match="was uploaded, but"):
        take(store, BUNDLE, folder)


@pytest.mark.parametrize("name", [MODEL_FILE, PROBE_FILE, "report.html"])
def test_altered_file_is_refused_by_name(store: MemoryStore, bundle: Files, folder: Path, name: str) -> None:
    altered = bytearray(bundle[name])
    altered[len(altered) // 2] ^= 1
    drop(store, {**bundle, name: bytes(altered)})

    with pytest.raises(CorruptBundle, match=f"files/{name} was altered"):
        take(store, BUNDLE, folder)


def test_file_cut_short_is_refused_with_both_sizes(store: MemoryStore, bundle: Files, folder: Path) -> None:
    drop(store, {**bundle, "report.html": b"<html>"})

    with pytest.raises(CorruptBundle, match=r"files/report\.html has 6 bytes; bundle\.json says 13"):
        take(store, BUNDLE, folder)


def test_name_that_leads_out_of_the_bundle_is_missing(
    store: MemoryStore, bundle: Files, folder: Path
) -> None:
    document = msgspec.json.decode(bundle[BUNDLE_FILE], type=Bundle)
    outside = document.files | {"../../../u2/files/model.onnx": document.files[MODEL_FILE]}
    drop(
        store, {**bundle, BUNDLE_FILE: msgspec.json.encode(msgspec.structs.replace(document, files=outside))}
    )
    store.put("inbox/iris/u2/files/model.onnx", bundle[MODEL_FILE])

    with pytest.raises(CorruptBundle, match="which is missing"):
        take(store, BUNDLE, folder)


def test_bundle_of_another_format_is_refused(changed: Callable[..., Files]) -> None:
    with pytest.raises(CorruptBundle, match="is of format 2; this Lampyris reads 1"):
        read_bundle(changed(format=2)[BUNDLE_FILE])


@pytest.mark.parametrize(("given_file", "missing"), [(PROBE_FILE, MODEL_FILE), (MODEL_FILE, PROBE_FILE)])
def test_bundle_without_a_model_or_a_probe_is_refused(
    changed: Callable[..., Files], given_file: str, missing: str
) -> None:
    document = changed(files={}, format=1)[BUNDLE_FILE]
    files = {given_file: BundleFile(digest="0" * 64, size_bytes=1)}
    lacking = msgspec.structs.replace(msgspec.json.decode(document, type=Bundle), files=files)

    with pytest.raises(CorruptBundle, match=f"names no files/{missing}"):
        read_bundle(msgspec.json.encode(lacking))


def test_document_of_unreasonable_size_is_not_read(store: MemoryStore, folder: Path) -> None:
    store.put(BUNDLE.key, b" " * 1_000_001)

    with pytest.raises(CorruptBundle, match="1,000,001 bytes; at most 1,000,000"):
        take(store, BUNDLE, folder)


@pytest.mark.parametrize(
    "document",
    [
        b"",
        b"[]",
        b'{"model": "iris"}',
        b"\xff",
        b'{"provenance": ' + b'{"a":' * 100_000,
        b'{"model": "\xff"}',
    ],
)
def test_document_that_cannot_be_read_is_refused(document: bytes) -> None:
    with pytest.raises(CorruptBundle, match=r"bundle\.json cannot be read"):
        read_bundle(document)


def test_unknown_field_is_refused_by_name(bundle: Files) -> None:
    document = msgspec.json.decode(bundle[BUNDLE_FILE]) | {"metric": {}}

    with pytest.raises(CorruptBundle, match="metric"):
        read_bundle(msgspec.json.encode(document))


@given(st.binary(max_size=100))
def test_noise_is_refused_as_a_bundle(noise: bytes) -> None:
    with pytest.raises(UploadRefused):
        read_bundle(noise)
